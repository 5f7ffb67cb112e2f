import { setTimeout as delay } from 'node:timers/promises';
import type { Store } from '../store.ts';

/** A backend under test, and what can be done to it. Disposing ends all stores that it made. */
export interface Subject extends AsyncDisposable {
  readonly store: Store;
  /** Another store object over the same state, as another process would have it. With the feature `others`. */
  other?(): Promise<Store>;
  /** Lets time pass for the store. Without it, it is waited for. */
  pass?(ms: number): Promise<void>;
  /** Makes the backend forget all that it holds, as FLUSHALL does. With the feature `loses`. */
  lose?(): Promise<void>;
  /** Breaks every connection of the store, which may come back at once. With the feature `breaks`. */
  break?(): Promise<void>;
}

export type MakeSubject = () => Promise<Subject>;

/** What the subject offers, so that no test is left out in silence. */
export interface StoreFeatures {
  readonly others?: boolean;
  readonly loses?: boolean;
  readonly breaks?: boolean;
}

export type Tests = Readonly<Record<string, (subject: Subject) => Promise<void>>>;

/** Waits until `isSo`, letting little time pass in between; for ten seconds at most when time is real. */
export async function until(
  { pass = ms => delay(ms) }: Subject,
  isSo: () => Promise<boolean> | boolean,
): Promise<void> {
  for (let attempt = 0; attempt < 2_000; attempt++) {
    if (await isSo()) return;
    await pass(5);
  }
  throw new Error('it did not come to be within 2 000 attempts');
}
