import { type Clock, systemClock } from '@ashlar/core';
import type { Executor } from '@ashlar/replica-failover/executor';
import { LostCopyError, MoveRefusedError } from '../errors/moves.ts';
import { rowKeyOf } from '../keys/slot-space.ts';
import { Slots } from '../keys/slots.ts';
import { knownShard, unknownShards } from '../moves/known-shards.ts';
import type {
  MoveBackend,
  MoveContext,
  MoveLag,
  MovePlan,
  MoveSpace,
  MoveSpec,
  Obstacle,
  Verification,
} from '../moves/move-backend.ts';
import { rowsAtTarget } from '../moves/obstacle.ts';
import { Table } from '../tables/table-of.ts';
import { Recovery } from '../two-phase/recovery.ts';
import { compared } from './difference.ts';
import { closeWithin, isLost, openLost } from './fences.ts';
import { Follower, type Transport } from './follower.ts';
import { lostBy, MemoryMove, supersede } from './memory-move.ts';
import type { MemoryShard } from './memory-shard.ts';

export interface MemoryMovesOptions {
  readonly shards: Readonly<Record<string, MemoryShard>>;
  /** Called before each transfer of rows between shards, so that a move can be slow. Default: the next turn of the event loop. */
  readonly transport?: Transport;
  /** Rows that are copied, or deleted, at a time. Default: 500. */
  readonly batch?: number;
  /** Measures the wait for a fence. Default: the machine's. */
  readonly clock?: Clock;
}

/** A transaction over several shards that has waited for so long, in milliseconds, is not about to commit. */
const leftMs = 1_000;

type Executors = Readonly<Record<string, Pick<Executor<unknown>, 'write'>>>;

/** A guess, as rows in memory have no size. */
const bytesOfChange = 100;

/** Moves slots between shards in this process. What is done is noted at the shards, so any process's engine can go on with it. */
export function memoryMoves(options: MemoryMovesOptions): MoveBackend {
  return new MemoryMoves(options);
}

class MemoryMoves implements MoveBackend {
  readonly #shards: Readonly<Record<string, MemoryShard>>;
  readonly #transport: Transport;
  readonly #batch: number;
  readonly #clock: Clock;
  /** What a follower goes by. */
  readonly #apply: { readonly transport: Transport; readonly clock: Clock };

  constructor({ shards, transport, batch = 500, clock = systemClock }: MemoryMovesOptions) {
    this.#shards = shards;
    this.#transport = transport ?? (() => new Promise(resolve => setImmediate(resolve)));
    this.#batch = batch;
    this.#clock = clock;
    this.#apply = { transport: this.#transport, clock };
  }

  async plan(move: MoveSpec): Promise<MovePlan> {
    const obstacles = unknownShards(move, this.#shards);
    if (Object.keys(move.tables).length === 0) {
      const words = 'no tables are declared: give the router `tables`, or their rows stay where they are';
      obstacles.push({ kind: 'no_tables', shard: move.from, words });
    }
    if (obstacles.length > 0) return { obstacles, warnings: [], tables: [] };
    const counts = new Map(Object.keys(move.tables).map(table => [table, 0]));
    for (const { table } of this.#source(move).snapshot(move).rows) counts.set(table, counts.get(table)! + 1);
    const tables = [...counts].map(([table, rows]) => ({ table, rows, bytes: rows * bytesOfChange }));
    return { obstacles: this.#rowsAtTarget(move), warnings: [], tables };
  }

  async sizes(shard: string, space: MoveSpace): Promise<ReadonlyMap<number, number>> {
    const slots = new Slots(space.key, space.slots, space);
    const tables = new Map(
      Object.entries(space.tables).map(([name, spec]) => [name, new Table(name, spec, rowKeyOf(space))]),
    );
    const sizes = new Map<number, number>();
    const { rows } = knownShard(this.#shards, shard).snapshot({
      ...space,
      slices: [{ from: 0, to: space.slots }],
    });
    for (const { table, row } of rows) {
      const slot = slots.find(tables.get(table)!.keyOf(row))!;
      sizes.set(slot, (sizes.get(slot) ?? 0) + bytesOfChange);
    }
    return sizes;
  }

  async prepare(move: MoveSpec, context: MoveContext): Promise<void> {
    const { state, check } = this.#take(move, context);
    if (state.isClaimed) return;
    const target = this.#target(move);
    await target.fence(move.id, move, context.signal, check);
    const obstacles = this.#rowsAtTarget(move);
    state.isClaimed = obstacles.length === 0;
    if (state.isClaimed) return;
    target.unfence(move.id);
    throw new MoveRefusedError(`move ${move.id}`, obstacles);
  }

  async copy(move: MoveSpec, context: MoveContext): Promise<void> {
    const { state, check } = this.#take(move, context);
    const [source, target] = [this.#source(move), this.#target(move)];
    if (state.follower?.from === source && state.follower.to === target) return;
    state.follower?.stop();
    await this.#clear(target, move, context, check);
    check();
    // A feed that an earlier attempt has left may have commits which that attempt had copied
    source.closeFeed(move.id);
    const since = this.#clock.now();
    source.openFeed(move.id, move);
    const { rows } = source.snapshot(move);
    for (let start = 0; start < rows.length; start += this.#batch) {
      await this.#transport();
      const part = rows.slice(start, start + this.#batch);
      const changes = part.map(({ table, row }) => ({ table, key: row, row }));
      await target.apply(move, changes, context.signal, check);
      context.progress({ rows: start + part.length, ofRows: rows.length });
    }
    check();
    state.follower = new Follower(move.id, source, target, move, { ...this.#apply, since });
  }

  async lag(move: MoveSpec, context: MoveContext): Promise<MoveLag> {
    const { state } = this.#take(move, context);
    const { lagMs, pending } = this.#follower(state, move);
    return { lagMs, retainedBytes: pending.length * bytesOfChange };
  }

  async verify(move: MoveSpec, context: MoveContext): Promise<Verification> {
    const { state } = this.#take(move, context);
    // What is still on the way is compared after the fence
    return compared(move, this.#source(move), this.#target(move), this.#follower(state, move).pending);
  }

  async fence(move: MoveSpec, context: MoveContext, withinMs: number): Promise<void> {
    const { check } = this.#take(move, context);
    await this.#close(this.#source(move), move, context, withinMs, check);
  }

  async unfence(move: MoveSpec, context: MoveContext): Promise<void> {
    this.#take(move, context);
    this.#source(move).unfence(move.id);
  }

  async drain(move: MoveSpec, context: MoveContext): Promise<void> {
    const { state, check } = this.#take(move, context);
    // After `turn` there is nothing on the way
    if (state.follower?.from !== this.#target(move))
      await this.#follower(state, move).caughtUp(context.signal);
    check();
  }

  async recheck(move: MoveSpec, context: MoveContext): Promise<Verification> {
    this.#take(move, context);
    return compared(move, this.#source(move), this.#target(move), []);
  }

  async turn(move: MoveSpec, context: MoveContext): Promise<void> {
    const { state, check } = this.#take(move, context);
    const [source, target] = [this.#source(move), this.#target(move)];
    if (state.follower?.from !== target) {
      this.#follower(state, move).stop();
      target.openFeed(move.id, move);
      state.follower = new Follower(move.id, target, source, move, this.#apply);
    }
    if (await openLost(target, move, context.signal, { except: move.id, check })) state.hasOpened = true;
    lostBy(target).delete(move.id);
    target.unfence(move.id);
  }

  async abort(move: MoveSpec, context: MoveContext): Promise<void> {
    const { state, check } = this.#take(move, context, 'ending');
    const [source, target] = [this.#source(move), this.#target(move)];
    source.unfence(move.id);
    state.follower?.stop();
    state.follower = undefined;
    source.closeFeed(move.id);
    target.closeFeed(move.id);
    if (state.isClaimed) {
      // No session may write there, nor may one that waits
      await target.fence(move.id, move, context.signal, check);
      await this.#clear(target, move, context, check);
    }
    if (state.hasOpened) lostBy(target).set(move.id, move);
    else target.unfence(move.id);
  }

  async finish(move: MoveSpec, context: MoveContext): Promise<void> {
    const { state, check } = this.#take(move, context, 'ending');
    const [source, target] = [this.#source(move), this.#target(move)];
    state.follower?.stop();
    state.follower = undefined;
    target.closeFeed(move.id);
    lostBy(source).set(move.id, move);
    // One that has taken the place of the source refuses nothing yet
    if (!source.fences.includes(move.id)) await source.fence(move.id, move, context.signal, check);
    await this.#clear(source, move, context, check);
  }

  async retire(
    move: MoveSpec,
    context: MoveContext,
    { withinMs, keepsRows }: { readonly withinMs: number; readonly keepsRows: boolean },
  ): Promise<readonly string[]> {
    const shard = this.#source(move);
    await this.#close(shard, move, context, withinMs, supersede(shard, move, context));
    const found = tablesIn(shard, move);
    if (found.length > 0 && !keepsRows) shard.unfence(move.id);
    else lostBy(shard).set(move.id, move);
    return found;
  }

  async admit(move: MoveSpec, context: MoveContext): Promise<void> {
    const shard = this.#target(move);
    await openLost(shard, move, context.signal, { check: supersede(shard, move, context) });
  }

  async purge(move: MoveSpec, context: MoveContext): Promise<number> {
    const shard = this.#source(move);
    const check = () => {
      if (isLost(shard, move)) return;
      const words = `${move.from} takes writes of them: delete them there as other rows`;
      throw new MoveRefusedError('rows cannot be purged', [{ kind: 'not_gone', shard: move.from, words }]);
    };
    check();
    return this.#clear(shard, move, context, check);
  }

  async leaks(shard: string, current: readonly string[]): Promise<readonly string[]> {
    const { fences, feeds } = knownShard(this.#shards, shard);
    const isLeak = (id: string) => !current.includes(id);
    const lost = lostBy(this.#shards[shard]!);
    return [
      ...fences.filter(id => isLeak(id) && !lost.has(id)).map(id => `the fence of the move ${id}`),
      ...feeds.filter(isLeak).map(id => `the feed of the move ${id}`),
    ];
  }

  async #close(
    shard: MemoryShard,
    move: MoveSpec,
    context: Pick<MoveContext, 'signal' | 'closing'>,
    withinMs: number,
    check?: () => void,
  ): Promise<void> {
    // No router may be there to do it
    if (shard.isInDoubt) await new Recovery(move.router, this.#shards as Executors).run(leftMs, [move.from]);
    await closeWithin(shard, move, context, withinMs, this.#clock, check);
  }

  #source({ from }: MoveSpec): MemoryShard {
    return knownShard(this.#shards, from);
  }

  #target({ to }: MoveSpec): MemoryShard {
    return knownShard(this.#shards, to);
  }

  #take(move: MoveSpec, context: MoveContext, end?: 'ending') {
    return MemoryMove.take([this.#source(move), this.#target(move)], move, context, end === 'ending');
  }

  #follower({ follower }: MemoryMove, move: MoveSpec): Follower {
    if (follower?.from === this.#source(move) && follower.to === this.#target(move)) return follower;
    throw new LostCopyError(move.id, 'the target does not follow the source');
  }

  #rowsAtTarget(move: MoveSpec): Obstacle[] {
    const tables = tablesIn(this.#target(move), move);
    return tables.map(table => ({ kind: 'rows_at_target', shard: move.to, table, words: rowsAtTarget }));
  }

  /** Deletes the moved rows at a shard that is not to have them. Returns how many. */
  async #clear(shard: MemoryShard, move: MoveSpec, context: MoveContext, check: () => void): Promise<number> {
    const { rows } = shard.snapshot(move);
    for (let start = 0; start < rows.length; start += this.#batch) {
      await this.#transport();
      const part = rows.slice(start, start + this.#batch);
      const changes = part.map(({ table, row }) => ({ table, key: row, row: undefined }));
      await shard.apply(move, changes, context.signal, check);
    }
    return rows.length;
  }
}

/** The tables that have rows of the slots. */
function tablesIn(shard: MemoryShard, move: MoveSpec): string[] {
  return [...new Set(shard.snapshot(move).rows.map(({ table }) => table))];
}
