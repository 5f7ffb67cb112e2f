import type { CallOutcome } from '@ashlar/core';
import { CacheClosedError, outcomeOf, SerializeError, WriteError, type WriteOperation } from '../errors.ts';
import type { CacheState } from '../state.ts';
import type { Origin, SharedEntry } from '../tiers/entry.ts';
import type { RemoteLink } from '../tiers/remote-link.ts';
import { untilAbort, withEither } from '../waits.ts';
import type { QueuedWrite } from './write-queue.ts';
import type { Write } from './write-strategy.ts';

/** A value as it goes into the tiers. */
interface Placement<V> extends Origin {
  readonly entry: SharedEntry<V>;
}

function operationOf<K, V>({ value }: Write<K, V>): WriteOperation {
  return value === undefined ? 'delete' : 'set';
}

/** Brings writes and invalidations into the tiers, so that no load that began before can put an old value back. */
export class TierUpdates<K, V> {
  readonly #state: CacheState<K, V>;

  constructor(state: CacheState<K, V>) {
    this.#state = state;
  }

  /** Places the value in all tiers, or deletes it from them. After a failure no tier has the key. @throws WriteError */
  place(write: Write<K, V>, signal?: AbortSignal): Promise<void> {
    const { writes, remote, settings } = this.#state;
    const work = async (queued: QueuedWrite) => {
      const id = write.id as string;
      let isSharing = false;
      try {
        const placement = this.#placement(write, this.#origin());
        isSharing = true;
        const isKept = remote === undefined || (await this.#share(remote, id, placement));
        isSharing = false;
        this.#settle(queued, write, isKept ? placement : undefined);
      } catch (error) {
        const isTierFailure = isSharing && !(error instanceof SerializeError);
        this.#settle(queued, write, undefined);
        // the link makes up for what the tier did not take; here the tier was not asked, or took what is refused
        if (!isTierFailure) await remote?.invalidate([id]).catch(() => {});
        const outcome = isTierFailure ? outcomeOf(error) : 'NotExecuted';
        throw new WriteError(settings.name, operationOf(write), write.key, outcome, error);
      }
    };
    return writes.run(write.id, work, signal);
  }

  /**
   * Announces the write, makes it, and keeps the value if `keep` is true and no other cache wrote the key meanwhile.
   * @throws WriteError
   */
  around(
    write: Write<K, V>,
    keep: boolean,
    source: (signal: AbortSignal) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    const { writes, remote, events, ending, settings } = this.#state;
    const work = async (queued: QueuedWrite) => {
      const { id, key } = write;
      const failed = (outcome: CallOutcome, cause: unknown) =>
        new WriteError(settings.name, operationOf(write), key, outcome, cause);
      let prepared: Placement<V> | undefined;
      try {
        // before the source is written: what `ttlMs` or `tags` throws must not leave it ahead of the tiers
        if (keep) prepared = this.#placement(write, this.#origin());
      } catch (error) {
        throw failed('NotExecuted', error);
      }
      const lease = await remote?.announce(id as string, settings.leaseMs);
      let isBegun = false;
      let failure: { readonly error: unknown } | undefined;
      try {
        // `close` has ended without it: the source must not be written any more
        ending.signal.throwIfAborted();
        isBegun = true;
        await withEither(signal, ending.signal, either => untilAbort(source(either), ending.signal));
      } catch (error) {
        const isGivenUp = isBegun && error === ending.signal.reason;
        failure = { error: isGivenUp ? new CacheClosedError(settings.name, 'Unknown') : error };
      }
      const placement = failure === undefined ? prepared : undefined;
      const { isKept, unannounced } = await this.#conclude(id, lease, placement);
      try {
        this.#settle(queued, write, isKept ? placement : undefined);
      } catch (error) {
        throw failed('Executed', error);
      }
      if (failure !== undefined) {
        events.writeFailed(key, failure.error);
        throw failed(outcomeOf(failure.error), failure.error);
      }
      if (unannounced !== undefined) throw failed('Executed', unannounced.error);
    };
    return writes.run(write.id, work, signal);
  }

  /** Invalidates keys whose source has changed. The link tries an invalidation that fails again. */
  async changed(ids: readonly unknown[]): Promise<void> {
    await this.#state.remote?.invalidate(ids as readonly string[]).catch(() => {});
  }

  /** @throws WriteError when the shared tier did not take it */
  invalidateTags(tags: readonly string[]): Promise<void> {
    return this.#everywhere(
      'invalidateTags',
      tags,
      () => this.#state.dropTags(tags),
      remote => remote.invalidateTags(tags),
    );
  }

  /** @throws WriteError when the shared tier did not take it */
  clear(): Promise<void> {
    return this.#everywhere(
      'clear',
      undefined,
      () => this.#state.dropAll(),
      remote => remote.clear(),
    );
  }

  /** Drops before and after: a value that was read from the shared tier meanwhile may be from before the change. */
  async #everywhere(
    operation: WriteOperation,
    key: unknown,
    drop: () => void,
    change: (remote: RemoteLink<V>) => Promise<void>,
  ): Promise<void> {
    const { remote, settings } = this.#state;
    drop();
    if (remote === undefined) return;
    try {
      await change(remote);
    } catch (error) {
      if (!remote.isOwed(error)) {
        throw new WriteError(settings.name, operation, key, outcomeOf(error), error);
      }
    } finally {
      drop();
    }
  }

  /** Ends an announcement, and finds out whether another cache wrote the key since. */
  async #conclude(
    id: unknown,
    lease: string | undefined,
    placement: Placement<V> | undefined,
  ): Promise<{ isKept: boolean; unannounced?: { readonly error: unknown } }> {
    const { remote } = this.#state;
    if (remote === undefined) return { isKept: placement !== undefined };
    const key = id as string;
    if (lease !== undefined) {
      if (placement === undefined && (await remote.release(key, lease))) return { isKept: false };
      if (placement !== undefined && (await remote.fill(key, lease, placement.entry)))
        return { isKept: true };
    }
    try {
      await remote.invalidate([key]);
      return { isKept: false };
    } catch (error) {
      return remote.isOwed(error)
        ? { isKept: remote.keepsUnprotected }
        : { isKept: false, unannounced: { error } };
    }
  }

  /** Whether this cache may keep the value: where the tier did not take it, only as long as a loaded one. */
  async #share(remote: RemoteLink<V>, key: string, placement: Placement<V> | undefined): Promise<boolean> {
    try {
      await (placement === undefined ? remote.invalidate([key]) : remote.write(key, placement.entry));
      return true;
    } catch (error) {
      if (remote.isOwed(error)) return remote.keepsUnprotected;
      throw error;
    }
  }

  /** Invalidations after it concern the write too. */
  #origin(): Origin {
    const { clock, local } = this.#state;
    return { at: clock.now(), stamp: local.stamp };
  }

  #placement({ key, value, terms }: Write<K, V>, origin: Origin): Placement<V> | undefined {
    if (value === undefined) return undefined;
    const entry = this.#state.freshness.sharedEntryOf(key, value, terms, 0);
    return entry.keepMs > 0 ? { entry, ...origin } : undefined;
  }

  /** In one step: loads under way may not store any more, and the value is placed or deleted. */
  #settle(queued: QueuedWrite, { id, key }: Write<K, V>, placement: Placement<V> | undefined): void {
    const { flights, local, freshness, clock } = this.#state;
    flights.fence(id);
    if (placement === undefined || queued.isFenced) local.delete(id);
    else local.put(id, freshness.entryOf(key, placement.entry, placement, clock.now()));
  }
}
