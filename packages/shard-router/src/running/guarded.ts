import type { Clock } from '@ashlar/core';
import {
  currentSession,
  type Executor,
  type ReadScope,
  type Scope,
  type TransactionScope,
} from '@ashlar/replica-failover/executor';
import { ofSlots } from '../clients/slotted.ts';
import { channels } from '../diagnostics.ts';
import { WrongShardError } from '../errors/routing.ts';
import type { ShardKey } from '../keys/key-column.ts';
import type { Load } from '../load/load.ts';
import type { MapCopy } from '../map/map-copy.ts';
import type { Route, Routes } from '../map/routes.ts';
import type { HeldWrites } from './held-writes.ts';
import { Limit } from './limit.ts';
import { type Place, Places } from './places.ts';
import { isConflict, isFenceRefusal, Statements } from './refusals.ts';
import { havingSeen } from './seen.ts';

export interface GuardedOptions<C> {
  readonly router: string;
  readonly shards: Readonly<Record<string, Executor<C>>>;
  readonly copy: MapCopy;
  readonly held: HeldWrites;
  readonly clock: Clock;
  readonly holdMs: number;
  /** Counts calls. */
  readonly load: Load;
  /** The methods of a client that send one statement each. */
  readonly statements: ReadonlySet<string>;
}

/** How often a transaction is begun that the database ends each time. */
const tries = 4;

type Work<C, T> = (client: C) => Promise<T>;

/** Thrown in a transaction, so that it is rolled back: its slot has changed hands since it began. */
class MovedAway extends Error {}

/**
 * Runs work on the shard of a slot, so that no answer is that of a shard which had lost the slot before.
 *
 * A read is answered when the shard had the slot all the time: the copy of the map says so if it is good and the slot certain,
 * else the store does. Writes are guarded by the shard itself, which refuses them.
 */
export class Guarded<C> {
  readonly #options: GuardedOptions<C>;
  readonly #places: Places;

  constructor(options: GuardedOptions<C>) {
    this.#options = options;
    this.#places = new Places(options.router, options.copy);
  }

  /** Whether no slot has changed hands since that map was the map. @throws the store's error */
  isCurrent(before: Routes): Promise<boolean> {
    return this.#places.isCurrent(before);
  }

  /**
   * @param keys of the work
   * @param route where they are now, in their order; throws when there is no map
   */
  on(keys: readonly ShardKey[], route: () => readonly Route[]): Executor<C> {
    return {
      read: (work, scope) => this.#read(this.#counted(keys, route), work, scope),
      write: (work, scope) => this.#write(this.#counted(keys, route), work, scope),
      transaction: (work, scope) => this.#transaction(this.#counted(keys, route), work, scope),
    };
  }

  /** Counts a call once, however often it is tried. */
  #counted(keys: readonly ShardKey[], route: () => readonly Route[]): () => readonly Route[] {
    const { load } = this.#options;
    let isCounted = false;
    return () => {
      const all = route();
      if (!isCounted) for (let i = 0; i < all.length; i++) load.count(all[i]!.slot, keys[i]!);
      isCounted = true;
      return all;
    };
  }

  /** A shard by its name, for queries of several, which see by themselves that the map is current. */
  shard(name: string): Executor<C> {
    const shard = this.#options.shards[name]!;
    return {
      read: (work, scope = {}) => shard.read(work, this.#reading(name, scope)),
      write: (work, scope) => shard.write(work, scope),
      transaction: (work, scope) => shard.transaction(work, scope),
    };
  }

  /**
   * Runs attempts of work on the shards of all these slots, in the order of their names, until none of the slots has changed hands in the
   * midst of one, and no fence refuses. `stay` rejects when one has; where the store does not answer, as `otherwise` says, or with its error.
   */
  async together<T, S extends Scope>(
    route: () => readonly Route[],
    attempt: (
      shards: readonly string[],
      stay: (otherwise?: boolean) => Promise<void>,
      scope: S,
    ) => Promise<T>,
    scope: S,
  ): Promise<T> {
    const limit = new Limit(scope, this.#options.clock);
    for (let n = 0; ; n++) {
      const place = this.#places.of(route());
      const names = [...new Set(route().map(({ shard }) => shard))].sort();
      const stay = async (otherwise?: boolean) => {
        const hadSlots = this.#places.stay(place);
        const stays = await (otherwise === undefined ? hadSlots : hadSlots.catch(() => otherwise));
        if (!stays) throw new MovedAway();
      };
      try {
        return await attempt(names, stay, limit.left());
      } catch (error) {
        if (isFenceRefusal(error)) await this.#hold(place, error, limit, n, scope.signal);
        else if (!(error instanceof MovedAway)) throw error;
      }
      this.#rerouted('transaction', place);
    }
  }

  async #read<T>(route: () => readonly Route[], work: Work<C, T>, scope: ReadScope = {}): Promise<T> {
    const limit = new Limit(scope, this.#options.clock);
    for (;;) {
      const place = this.#places.one(route());
      let result: T;
      try {
        result = await this.#shardOf(place).read(
          work,
          this.#reading(place.shard, limit.left<ReadScope>(), place.slot),
        );
      } catch (error) {
        if (!this.#places.hasMoved(place)) throw error;
        this.#rerouted('read', place);
        continue;
      }
      if (promisesNothing(scope) || (await this.#places.stay(place))) return result;
      this.#rerouted('read', place);
    }
  }

  /**
   * The scope of a read on a shard that has got rows from another. A replica there may have all that the session knows of, and not the
   * rows that the session wrote elsewhere; nor does it know how old they are.
   */
  #reading(shard: string, scope: ReadScope, slot?: number): ReadScope {
    const { copy, clock } = this.#options;
    const seen = copy.routes!.map.seen?.[shard];
    if (seen === undefined) return scope;
    const { consistency, session = currentSession() } = scope;
    const isBounded = typeof consistency === 'object';
    if (isBounded) {
      const isRecent = clock.now() - copy.routes!.changedAt(slot) <= consistency.maxStalenessMs;
      return isRecent ? { ...scope, consistency: 'strong' } : scope;
    }
    const isOfSession = consistency === undefined || consistency === 'session' || consistency === 'monotonic';
    return isOfSession && session !== undefined ? { ...scope, session: havingSeen(session, seen) } : scope;
  }

  async #transaction<T>(
    route: () => readonly Route[],
    work: Work<C, T>,
    scope: TransactionScope = {},
  ): Promise<T> {
    const limit = new Limit(scope, this.#options.clock);
    let conflicts = 0;
    for (let attempt = 0; ; attempt++) {
      const place = this.#places.one(route());
      try {
        return await this.#shardOf(place).transaction(async client => {
          let result: T;
          try {
            result = await work(client);
          } catch (error) {
            // Work may throw because its rows are not here any more
            const isHere = isFenceRefusal(error) || (await this.#places.stay(place).catch(() => true));
            throw isHere ? error : new MovedAway();
          }
          // What it has read may be older than what another has written elsewhere. What it has written was not refused
          if (!(await this.#places.stay(place))) throw new MovedAway();
          return result;
        }, limit.left());
      } catch (error) {
        if (isFenceRefusal(error)) await this.#hold(place, error, limit, attempt, scope.signal);
        else if (isConflict(error) && (error as { outcome?: unknown }).outcome !== 'Unknown') {
          if (++conflicts >= tries || scope.signal?.aborted === true) throw error;
          continue;
        } else if (!(error instanceof MovedAway)) throw error;
      }
      this.#rerouted('transaction', place);
    }
  }

  async #write<T>(route: () => readonly Route[], work: Work<C, T>, scope: Scope = {}): Promise<T> {
    const { copy, statements } = this.#options;
    const limit = new Limit(scope, this.#options.clock);
    for (let attempt = 0; ; attempt++) {
      if (!copy.isValid) await copy.fresh();
      const place = this.#places.one(route());
      // A good copy knows of every fence
      const mayBeRefused = attempt > 0 || !copy.isValid || place.isUncertain;
      let sent: Statements<C> | undefined;
      let result: T;
      try {
        result = await this.#shardOf(place).write(client => {
          if (!mayBeRefused) return work(client);
          sent = new Statements(client, statements);
          return work(sent.client);
        }, limit.left());
      } catch (error) {
        if (!isFenceRefusal(error)) throw error;
        if (sent?.isOnlyOne !== true) {
          throw new WrongShardError(place.shard, { cause: error, outcome: 'Unknown' });
        }
        await this.#hold(place, error, limit, attempt, scope.signal);
        this.#rerouted('write', place);
        continue;
      }
      if (await this.#stillHasSlot(place)) return result;
      // No fence refuses a statement that finds no row, since the rows are elsewhere
      throw new WrongShardError(place.shard, { outcome: 'Unknown' });
    }
  }

  #shardOf({ shard, since }: Place): Executor<C> {
    return ofSlots(this.#options.shards[shard]!, since.keys());
  }

  async #hold(
    place: Place,
    refusal: unknown,
    limit: Limit,
    attempt: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const { held, holdMs } = this.#options;
    await held.wait(place, refusal, limit.heldUntil(holdMs), attempt, signal);
  }

  /** As `stay`, for what is done: if the store does not answer, nobody knows. */
  async #stillHasSlot(place: Place): Promise<boolean> {
    try {
      return await this.#places.stay(place);
    } catch (cause) {
      throw new WrongShardError(place.shard, { cause, outcome: 'Unknown' });
    }
  }

  #rerouted(operation: 'read' | 'write' | 'transaction', { shard, slot }: Place): void {
    if (!channels.reroute.hasSubscribers) return;
    channels.reroute.publish({ router: this.#options.router, operation, from: shard, slot });
  }
}

export function promisesNothing({ consistency }: ReadScope): boolean {
  return consistency === 'eventual' || consistency === 'nearest';
}
