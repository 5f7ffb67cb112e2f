import type { MessagePort } from 'node:worker_threads';
import {
  backgroundClock,
  boolean,
  checkNames,
  clock,
  durationMs,
  integer,
  objectWith,
  type RulesFor,
  readOptions,
  required,
} from '@ashlar/core';
import type { Driver } from '../driver.ts';
import { connectPort } from '../remote/ports.ts';
import { LocalDriver } from './local-driver.ts';
import {
  type ConnectedMemoryDriverOptions,
  capabilities,
  type MemoryCapabilities,
  type MemoryDriver,
  type MemoryDriverOptions,
} from './options.ts';

const rules = {
  leaseMs: durationMs(10_000, { above: 0 }),
  maxMessages: integer(1_000_000, { min: 1 }),
  maxDead: integer(10_000, { min: 0 }),
  maxResults: integer(1_000, { min: 0 }),
  deduplicationMs: durationMs(300_000),
  maxIds: integer(100_000, { min: 0 }),
  clone: boolean(true),
  clock: clock(backgroundClock),
} satisfies RulesFor<MemoryDriverOptions>;

const portAdvice =
  'write `memoryDriver({ port: driver.connect() })`, with the driver of the thread that owns it';
const connectedRules = {
  port: required(objectWith<MessagePort>(['postMessage', 'on', 'unref'], portAdvice), portAdvice),
  timeoutMs: durationMs(5_000, { above: 0 }),
} satisfies RulesFor<ConnectedMemoryDriverOptions>;

/**
 * Messages in the memory of this process, for one process and for tests: the semantics of the other drivers, without
 * their durability. It ends with the process.
 *
 * @throws InvalidOptionError
 */
export function memoryDriver(options?: MemoryDriverOptions): MemoryDriver;
/** The driver of another thread, through a port of it. @throws InvalidOptionError */
export function memoryDriver(options: ConnectedMemoryDriverOptions): Driver<MemoryCapabilities>;
export function memoryDriver(
  options: MemoryDriverOptions | ConnectedMemoryDriverOptions = {},
): Driver<MemoryCapabilities> {
  checkNames('memoryDriver', options, { ...rules, ...connectedRules });
  // Also with `port: undefined`, which is a mistake and must not make a driver of its own
  if ('port' in options) {
    const { port, timeoutMs } = readOptions('memoryDriver with a port', options, connectedRules);
    return connectPort(port, {
      kind: 'memory',
      capabilities,
      leaseMs: rules.leaseMs(undefined, ''),
      timeoutMs,
    });
  }
  return new LocalDriver(readOptions('memoryDriver without a port', options, rules));
}
