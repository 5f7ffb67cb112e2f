import { Backoff, objectWith, type RulesFor, readOptions, required, sleep } from '@ashlar/core';
import { getJson, type Store, setJson, VersionConflictError } from '@ashlar/store';
import type { ShardKey } from '../keys/key-column.ts';
import type { Route } from '../map/routes.ts';
import { idEpochMs, idOf, idsPerTick, maxSlots } from './id.ts';

export interface ShardIdsOptions {
  /** Whose keys the ids are made for. */
  readonly router: { readonly name: string; route(key: ShardKey): Route };
  /** Gives the milliseconds out, each to one process. */
  readonly store: Store;
}

const rules = {
  router: required(objectWith<ShardIdsOptions['router']>(['route'])),
  store: required(objectWith<Store>(['get', 'set'])),
} satisfies RulesFor<ShardIdsOptions>;

/** Milliseconds that a process takes at a time: more, and sixty busy processes would run ahead of the time. */
const ticksPerBlock = 16;

/** A block is used for a second, so that ids stay in the order of the time. */
const blockMs = 1_000;

interface Block {
  readonly firstTick: number;
  readonly endsAt: number;
  /** How many ids of the block each slot has used. */
  readonly used: Uint16Array;
}

/**
 * Makes ids that carry the slot of their key: `routeId(id)` needs no look-up, also after rows have moved.
 *
 * No two are equal, in any process: a process takes some milliseconds for itself with one compare-and-set in the store,
 * and no millisecond is given out twice, also when a clock goes back. So it does not matter which shard has a slot. A store that
 * forgets its values (`process`) may repeat ids only if more were made than time has passed.
 */
export class ShardIds {
  readonly #router: ShardIdsOptions['router'];
  readonly #store: Store;
  readonly #key: string;
  #block: Block | undefined;
  #next: Promise<void> | undefined;

  /** @throws InvalidOptionError */
  constructor(options: ShardIdsOptions) {
    const { router, store } = readOptions('ShardIds', options, rules);
    this.#router = router;
    this.#store = store;
    this.#key = `shards:${encodeURIComponent(router.name)}:ids`;
  }

  /**
   * A new id in the slot of the key. Waits for the store once a second, and for each 16 384 ids of a slot.
   *
   * @throws InvalidShardKeyError, NotReadyError, StoreUnavailableError
   */
  async next(key: ShardKey): Promise<bigint> {
    const { slot } = this.#router.route(key);
    for (;;) {
      const block = this.#block;
      if (block !== undefined && performance.now() < block.endsAt) {
        const n = block.used[slot]!;
        if (n < ticksPerBlock * idsPerTick) {
          block.used[slot] = n + 1;
          return idOf(block.firstTick + Math.floor(n / idsPerTick), slot, n % idsPerTick);
        }
      }
      this.#next ??= this.#take().finally(() => {
        this.#next = undefined;
      });
      await this.#next;
    }
  }

  async #take(): Promise<void> {
    const pauses = new Backoff({ firstMs: 5, maxMs: 200 });
    for (;;) {
      const entry = await getJson<{ next: number }>(this.#store, this.#key);
      const firstTick = Math.max(Date.now() - idEpochMs, entry?.value.next ?? 0);
      try {
        const next = { next: firstTick + ticksPerBlock };
        await setJson(this.#store, this.#key, next, { ifVersion: entry?.version ?? 'absent' });
        const endsAt = performance.now() + blockMs;
        this.#block = { firstTick, endsAt, used: new Uint16Array(maxSlots) };
        return;
      } catch (error) {
        // Another process has taken them. A lost answer leaves them unused
        if (!(error instanceof VersionConflictError)) throw error;
        await sleep(pauses.nextMs());
      }
    }
  }
}
