import type { ChildProcess } from 'node:child_process';
import type { FencingToken, Store } from '@ashlar/store';

/** Where the shared state is: in the process that starts the others, or on a server. */
export type Place =
  | { readonly backend: 'memory' }
  | { readonly backend: 'redis' | 'postgres'; readonly url: string };

/** A number that only grows, whichever process writes. */
export interface FencedCounter {
  /** Adds one and returns the new count. @throws StaleTokenError; nothing was written then. */
  increment(lease: FencingToken): Promise<number>;
}

export interface Counter extends FencedCounter {
  /** Sets it up, at 0. Rejects when the server cannot be used. */
  create(): Promise<void>;
  read(): Promise<number>;
  remove(): Promise<void>;
}

/** What a contender uses: the store that keeps the lease, and the counter that the leader writes. */
export interface Backend extends AsyncDisposable {
  readonly store: Store;
  readonly counter: FencedCounter;
}

/** The same in the process that starts the contenders. */
export interface ParentBackend extends Backend {
  readonly counter: Counter;
  /** Lets a child reach what is in this process's memory. */
  attach?(child: ChildProcess): void;
}
