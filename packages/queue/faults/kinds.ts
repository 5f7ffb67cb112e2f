import { type Capabilities, type Driver, messages, Queue } from '../src/index.ts';
import { prefixed } from '../test/support/prefixed.ts';
import { bullmqKind } from './kinds/bullmq.ts';
import type { Kind } from './kinds/kind.ts';
import { natsKind } from './kinds/nats.ts';
import { postgresKind } from './kinds/postgres.ts';
import { rabbitmqKind } from './kinds/rabbitmq.ts';
import { redisStreamsKind } from './kinds/redis-streams.ts';
import { zeromqKind } from './kinds/zeromq.ts';

export type KindName = 'redisStreams' | 'bullmq' | 'postgres' | 'rabbitmq' | 'nats' | 'zeromq';
export const kinds: Readonly<Record<KindName, Kind>> = {
  bullmq: bullmqKind,
  redisStreams: redisStreamsKind,
  zeromq: zeromqKind,
  nats: natsKind,
  postgres: postgresKind,
  rabbitmq: rabbitmqKind,
};
export const kindNames: readonly KindName[] = Object.keys(kinds) as KindName[];

/** Where a driver finds its server, as another process is given it. */
export interface Address {
  readonly kind: KindName;
  readonly port: number;
  /** Absent: as by default. */
  readonly leaseMs?: number;
  /** For a call, in milliseconds. Absent: 2 000. */
  readonly timeoutMs?: number;
  /** Of its topics, as several runs have one server. */
  readonly prefix: string;
}

export interface Messages {
  work: { readonly n: number };
}

/** That a run does not wait for long. */
export const shortLeaseMs = 3_000;
/** How many messages a consumer handles at once. */
export const places = 5;

export function driverAt({ kind, port, leaseMs, timeoutMs, prefix }: Address): Driver {
  return prefixed(kinds[kind].driver(port, leaseMs, timeoutMs), prefix);
}

export function queueAt(address: Address): Queue<Messages, Capabilities> {
  return queueOver(driverAt(address));
}

export function queueOver(driver: Driver): Queue<Messages, Capabilities> {
  return new Queue(driver, { messages: messages<Messages>() });
}
