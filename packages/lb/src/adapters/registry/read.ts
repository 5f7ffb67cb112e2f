import { abortable, type Backoff, type Clock, onAbort } from '@ashlar/core';
import { waitToRetry } from '../../discovery/trouble.ts';
import type { Endpoint } from '../../endpoint.ts';
import { isFinal, type RegistryChange, type RegistryEntry, type RegistryStore } from './store-like.ts';
import { RegistryView } from './view.ts';

export interface Reading {
  readonly store: RegistryStore;
  readonly prefix: string;
  readonly source: string;
  readonly clock: Clock;
  readonly backoff: Backoff;
}

/** The endpoints of a service, now and after each change. Retries during an outage; throws when the store is closed. */
export async function* readRegistry<E extends Endpoint>(
  reading: Reading,
  signal: AbortSignal,
): AsyncGenerator<readonly E[]> {
  const { source, clock, backoff } = reading;
  const view = new RegistryView<E>(source);
  for (let known = false; ; ) {
    try {
      for await (const hasChanged of follow(reading, view, signal)) {
        if (hasChanged || !known) yield view.endpoints;
        known = true;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (isFinal(error)) throw error;
      await waitToRetry(source, error, backoff.nextMs(), clock, signal);
      continue;
    }
    signal.throwIfAborted();
    await waitToRetry(source, new Error('the store ended the watch'), backoff.nextMs(), clock, signal);
  }
}

/** Yields after the list and after each change whether the set changed. Ends with the watch. */
async function* follow<E extends Endpoint>(
  { store, prefix, clock, backoff }: Reading,
  view: RegistryView<E>,
  signal: AbortSignal,
): AsyncGenerator<boolean> {
  const leaving = new AbortController();
  const unlink = onAbort(signal, reason => leaving.abort(reason));
  try {
    const changes = new Changes(store.watch(prefix, { signal: leaving.signal }));
    yield view.replace(await abortable(listed(store, prefix), signal), clock.now());
    backoff.reset();
    for (;;) {
      const change = await changes.next(view.dueAt, clock, signal);
      if (change === 'over') return;
      if (change === 'due') yield view.expire(clock.now());
      else if (change.type === 'reset') {
        yield view.replace(await abortable(listed(store, prefix), signal), clock.now());
      } else yield view.apply(change);
    }
  } finally {
    unlink();
    leaving.abort(new Error('left'));
  }
}

/** A watch whose next change can be awaited up to a time; a later change is returned by the next call. */
class Changes {
  readonly #iterator: AsyncIterator<RegistryChange>;
  #next: Promise<IteratorResult<RegistryChange>> | undefined;

  constructor(changes: AsyncIterable<RegistryChange>) {
    this.#iterator = changes[Symbol.asyncIterator]();
  }

  async next(dueAt: number, clock: Clock, signal: AbortSignal): Promise<RegistryChange | 'due' | 'over'> {
    this.#next ??= this.#iterator.next();
    this.#next.catch(() => {}); // awaited below, or abandoned
    const timer = new AbortController();
    const due =
      dueAt === Infinity
        ? []
        : [clock.sleep(Math.max(0, dueAt - clock.now()), timer.signal).then(() => 'due' as const)];
    for (const each of due) each.catch(() => {});
    try {
      const first = await abortable(Promise.race([this.#next, ...due]), signal);
      if (first === 'due') return 'due';
      this.#next = undefined;
      return first.done === true ? 'over' : first.value;
    } finally {
      timer.abort('settled');
    }
  }
}

async function listed(store: RegistryStore, prefix: string): Promise<RegistryEntry[]> {
  const entries: RegistryEntry[] = [];
  for await (const entry of store.list(prefix)) entries.push(entry);
  return entries;
}
