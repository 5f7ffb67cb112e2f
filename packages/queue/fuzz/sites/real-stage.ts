import { setTimeout as delay } from 'node:timers/promises';
import type { TcpProxy } from '@workspace/services';
import type { Driver } from '../../src/index.ts';
import type { Operator, OtherCode, Stage } from './site.ts';

/** Drivers over a server, in real time. */
export function realStage(parts: {
  readonly processes: number;
  open(): Driver;
  break(): Promise<void>;
  /** The way of all drivers to the server, where answers can be lost. */
  readonly proxy?: TcpProxy;
  /** Notes the connections of the moment. What it returns resolves when the server has ended them, after they are cut. */
  note?(): Promise<() => Promise<void>>;
  readonly others?: OtherCode;
  readonly operator?: Operator;
  /** After the drivers. */
  end?(): Promise<void>;
}): Stage {
  const { proxy, others, operator } = parts;
  const drivers = Array.from({ length: parts.processes }, () => parts.open());
  return {
    drivers,
    now: () => performance.now(),
    pass: ms => delay(ms),
    break: () => parts.break(),
    ...(proxy !== undefined && { hush: () => hushed(proxy, parts.note) }),
    ...(others !== undefined && { others }),
    ...(operator !== undefined && { operator }),
    async end() {
      await Promise.all(drivers.map(driver => driver[Symbol.asyncDispose]()));
      await parts.end?.();
    },
  };
}

function hushed(proxy: TcpProxy, note?: () => Promise<() => Promise<void>>): () => Promise<void> {
  proxy.hush();
  return async () => {
    const ended = await note?.();
    proxy.cut();
    await ended?.();
    proxy.resume();
  };
}
