import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '@ashlar/core';
import type { Capabilities, Driver } from '../driver.ts';

export interface MemoryDriverOptions {
  /** Milliseconds that a message stays with a consumer that does not extend it. Default: 10 000. */
  readonly leaseMs?: number;
  /** The most messages that a group may hold; more are refused with QueueFullError. Default: 1 000 000. */
  readonly maxMessages?: number;
  /** The most dead letters that a group keeps; the oldest go first. Default: 10 000. */
  readonly maxDead?: number;
  /** The results of handlers that a group keeps; the oldest go first. Default: 1 000. */
  readonly maxResults?: number;
  /** Milliseconds within which a message published again with the same id is one message. Default: 300 000. */
  readonly deduplicationMs?: number;
  /** How many ids of a topic are kept for that at least; twice as many at most. Default: 100 000. */
  readonly maxIds?: number;
  /** Whether bodies are copied when they are published. Without, the caller must not change them. Default: true. */
  readonly clone?: boolean;
  /** Measures delays and leases. Default: the machine's, which does not keep the process alive. */
  readonly clock?: Clock;
}

export interface ConnectedMemoryDriverOptions {
  /** From `connect()` of the driver in the thread that owns it. */
  readonly port: MessagePort;
  /** Milliseconds that a call waits for the other thread. Default: 5 000. */
  readonly timeoutMs?: number;
}

export interface MemoryDriver extends Driver<MemoryCapabilities> {
  /**
   * A port for another thread, which is handed over and used as `memoryDriver({ port })` there. When that thread ends, its
   * messages go to other consumers as their leases end.
   */
  connect(): MessagePort;
}

/** What the memory driver can do. */
export interface MemoryCapabilities extends Capabilities {
  readonly delay: true;
  readonly priority: true;
  readonly fanout: true;
  readonly durable: false;
  readonly orderedKeys: true;
  readonly deadLetters: true;
  readonly crashCount: true;
  readonly uniqueIds: true;
  readonly deduplication: true;
  readonly fairness: true;
  readonly limits: true;
  readonly expiry: true;
  readonly jobs: true;
}

export const capabilities: MemoryCapabilities = {
  delay: true,
  priority: true,
  fanout: true,
  durable: false,
  orderedKeys: true,
  deadLetters: true,
  crashCount: true,
  uniqueIds: true,
  deduplication: true,
  fairness: true,
  limits: true,
  expiry: true,
  jobs: true,
};
