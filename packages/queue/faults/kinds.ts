import { Redis } from 'ioredis';
import { redisStreams } from '../src/adapters/redis-streams.ts';
import { type Capabilities, type Driver, messages, Queue } from '../src/index.ts';

/** The drivers whose server can be killed. */
export const kinds = ['redisStreams'] as const;
export type Kind = (typeof kinds)[number];

/** Where a driver finds its server, as another process is given it. */
export interface Address {
  readonly kind: Kind;
  readonly port: number;
}

export interface Messages {
  work: { readonly n: number };
}

export const leaseMs = 3_000;

function driverAt({ port }: Address): Driver {
  return redisStreams({ redis: new Redis({ port, lazyConnect: true }), leaseMs, timeoutMs: 2_000 });
}

export function queueAt(address: Address): Queue<Messages, Capabilities> {
  return new Queue(driverAt(address), { messages: messages<Messages>() });
}
