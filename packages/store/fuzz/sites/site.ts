import type { ManagedStore } from '../../src/index.ts';
import type { Call, StoreSpec } from '../plan/plan.ts';
import type { Offer } from '../plan/plans.ts';

/** Wraps a store, so that a fault can be planted. */
export type Wrap = (store: ManagedStore) => ManagedStore;

/** A server, or what stands for one, on which case after case is played. */
export interface Site extends Offer, AsyncDisposable {
  readonly name: string;
  /** A fresh state with its stores. */
  begin(specs: readonly StoreSpec[]): Promise<Stage>;
}

/** The state of one case. */
export interface Stage {
  readonly stores: readonly ManagedStore[];
  /** Whether the user of the store may do what the call does. */
  allows(store: number, call: Call): boolean;
  /** It lasts until `calm`. `closes`: every store is closed by it, for good. */
  trouble(name: string): Promise<{ readonly closes: boolean }>;
  calm(): Promise<void>;
  /** How many calls of a store at once reach all that it has. */
  width(store: number): number;
  /** What the stores, which are closed, have left behind; asked again until it is nothing. */
  leftovers(): Promise<readonly string[]>;
  end(): Promise<void>;
}

/** The time limit of an operation. */
export function timeoutOf({ patience }: StoreSpec): number {
  return patience === 'patient' ? 10_000 : 120;
}

/** The operations that change nothing. */
export const reading: ReadonlySet<string> = new Set(['get', 'getMany', 'list']);
