import type { MessagePort, TransferListItem } from 'node:worker_threads';
import type { Capabilities, Driver } from '@ashlar/queue';
import type { Store } from '@ashlar/store';

/** The drivers that the shop runs on. */
export const driverNames = ['memory', 'redis', 'bullmq', 'postgres', 'rabbitmq', 'nats', 'zeromq'] as const;
export type DriverName = (typeof driverNames)[number];

/** A server, and what keeps the run apart from others on it. */
export interface Place {
  readonly driver: Exclude<DriverName, 'memory'>;
  readonly url: string;
  readonly run: string;
}

/** The memory of the shop, reached from another thread. */
export interface Ports {
  readonly driver: 'memory';
  readonly queue: MessagePort;
  readonly store: MessagePort;
}

/** What a worker handles messages with. */
export interface WorkerBackend {
  readonly driver: Driver<Capabilities>;
  /** Where it keeps which orders are charged, if it does. */
  readonly store: Store | undefined;
}

/** What the shop publishes with, and what each of its workers is given. */
export interface ShopBackend extends AsyncDisposable {
  readonly driver: Driver<Capabilities>;
  connect(): { readonly place: Place | Ports; readonly transfer: readonly TransferListItem[] };
}

/** A consumer that has died is noticed when its lease is over. Milliseconds. */
export const leaseMs = 2_000;
