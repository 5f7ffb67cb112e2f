import { randomUUID } from 'node:crypto';
import { eventually } from '@workspace/services';
import { Redis } from 'ioredis';
import { expect, onTestFinished } from 'vitest';
import { type RedisStreamsOptions, redisStreams } from '../../src/adapters/redis-streams.ts';
import type { ConsumeOptions, Delivery, Driver, OutgoingMessage } from '../../src/index.ts';
import { RedisSite } from '../support/redis-site.ts';

export const topic = 'work';
export const group = 'group';

let made = 0;
/** A message with an id of its own. */
export function message(text: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { id: `${text}-${++made}`, body: Buffer.from(text), headers: {}, ...more };
}

export const textOf = ({ body }: { readonly body: Uint8Array }): string => Buffer.from(body).toString();
export const ack = (delivery: Delivery): Promise<void> => delivery.ack();
export const soon = (attempt: () => Promise<void>): Promise<void> =>
  eventually(attempt, { withinMs: 20_000 });

interface Opened {
  readonly driver: Driver;
  readonly prefix: string;
}

interface Reading {
  readonly received: readonly Delivery[];
  texts(): string[];
  /** Resolves when it has received so many. */
  has(count: number): Promise<void>;
  end(): Promise<void>;
}

/** A Redis for the tests of a file. */
export class StreamsSite extends RedisSite {
  /** A driver with a prefix of its own, unless one is given, and leases that outlast a slow machine. */
  open(options: Partial<RedisStreamsOptions> = {}): Opened {
    const redis = new Redis({ port: this.server.port, lazyConnect: true });
    const prefix = randomUUID();
    const driver = redisStreams({ redis, prefix, leaseMs: 30_000, ...options });
    onTestFinished(() => driver[Symbol.asyncDispose]());
    return { driver, prefix: options.prefix ?? prefix };
  }

  /** What is there, without the beginning that all names share. */
  async keysOf(prefix: string): Promise<string[]> {
    const beginning = `{${prefix}:${topic}}:`;
    const names = await this.admin.keys(`{${prefix}:*`);
    return names.map(name => name.slice(beginning.length)).sort();
  }
}

/** Collects what comes; `each` settles it. More options say how it shares. */
export function read(
  driver: Driver,
  name: string = group,
  each: (delivery: Delivery) => Promise<void> = async () => {},
  more: Partial<ConsumeOptions> = {},
): Reading {
  const stop = new AbortController();
  const received: Delivery[] = [];
  const reading = (async () => {
    const options = { prefetch: 50, ...more, signal: stop.signal };
    for await (const delivery of driver.consume(topic, name, options)) {
      received.push(delivery);
      await each(delivery);
    }
  })();
  let isEnded = false;
  const end = async () => {
    isEnded = true;
    stop.abort();
    await reading;
  };
  // What it rejects with is told once
  onTestFinished(() => (isEnded ? undefined : end()));
  const has = (count: number) => soon(async () => expect(received.length).toBeGreaterThanOrEqual(count));
  return { received, texts: () => received.map(textOf), has, end };
}
