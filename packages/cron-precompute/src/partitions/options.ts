import type { SourceContext } from '../sources/source.ts';

/** What is used of a `Queue` of @ashlar/queue, whatever its topics and its driver are. */
export interface PartitionQueue {
  declare(topic: never, group?: string): Promise<unknown>;
  publish(topic: never, payload: never, options?: never): Promise<unknown>;
  subscribe(
    topic: never,
    handler: never,
    options?: never,
  ): Promise<{ close(options?: never): Promise<unknown> }>;
  dead(topic: never, group?: string): DeadLetters;
}

/** The messages of a topic that are given up. */
export interface DeadLetters extends AsyncIterable<{ readonly id: string; readonly reason: string }> {
  purge(): Promise<unknown>;
}

export interface InPartitionsOptions<P, K, V> {
  /** Hands the partitions out to the workers: each process that has called `start`. Closes with you, not with the data set. */
  readonly queue: PartitionQueue;
  /** The topic of their messages: of this data set alone. */
  readonly topic: string;
  /** The partitions of a run, JSON each, in an order that is the same in every attempt. */
  readonly partitions: (context: SourceContext) => AsyncIterable<P> | Iterable<P>;
  /** The entries of a partition, in any of the processes. May be called again for it, also at the same time. */
  readonly load: (
    partition: P,
    context: { readonly signal: AbortSignal; readonly since: Date | undefined; readonly attempt: number },
  ) => Promise<Iterable<readonly [K, V | undefined]>> | Iterable<readonly [K, V | undefined]>;
  /** Partitions that this process loads at once; 0: none, it leaves them to others. Default: 1. */
  readonly concurrency?: number;
  /** How often a partition is handed out before the run fails, also when its process dies. Default: 3. */
  readonly attempts?: number;
  /** How many partitions make a checkpoint. Default: 10. */
  readonly checkpointEvery?: number;
}

/** A part, as a message: plain JSON. */
export interface PartMessage {
  /** The run, as the keys of its results have it. */
  readonly run: string;
  /** Of the attempt that has handed it out. */
  readonly token: string;
  readonly index: number;
  readonly partition: unknown;
  /** Milliseconds since 1970. */
  readonly since?: number;
}

/** The calls of a queue, without its types. */
export interface AnyQueue {
  declare(topic: string): Promise<unknown>;
  publish(topic: string, payload: PartMessage, options: { readonly id: string }): Promise<unknown>;
  subscribe(
    topic: string,
    handler: (
      message: PartMessage,
      context: { readonly attempt: number; readonly signal: AbortSignal },
    ) => Promise<void>,
    options: { readonly concurrency: number; readonly attempts: number },
  ): Promise<{ close(options: { readonly timeoutMs: number }): Promise<unknown> }>;
  dead(topic: string): DeadLetters;
}
