import type { ChildProcess } from 'node:child_process';
import type { FencingToken, Store } from '@ashlar/store';

/** Where the shared state is: in the process that starts the others, or on a server. */
export type Place =
  | { readonly backend: 'memory' }
  | { readonly backend: 'redis' | 'postgres'; readonly url: string };

/** A number that only grows, whoever writes. */
export interface Fenced {
  /** Adds one and gives what it became. @throws StaleTokenError; nothing was written then. */
  increment(lease: FencingToken): Promise<number>;
}

export interface Counter extends Fenced {
  /** Sets it up, at 0. Rejects when the server cannot be used. */
  create(): Promise<void>;
  read(): Promise<number>;
  remove(): Promise<void>;
}

/** What a contender stands on: the store that its lease is a claim of, and what the leader writes to. */
export interface Ground extends AsyncDisposable {
  readonly store: Store;
  readonly counter: Fenced;
}

/** The same for the process that starts the contenders. */
export interface Home extends Ground {
  readonly counter: Counter;
  /** Lets a child reach what is in this process's memory. */
  attach?(child: ChildProcess): void;
}
