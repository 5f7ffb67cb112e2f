import { abortable } from '@ashlar/core';
import { FenceBusyError, LostCopyError, MoveBlockedError } from '../../../errors/moves.ts';
import { knownShard, unknownShards } from '../../../moves/known-shards.ts';
import type {
  MoveBackend,
  MoveContext,
  MoveLag,
  MovePlan,
  MoveSpec,
  Verification,
} from '../../../moves/move-backend.ts';
import { unlessLost } from '../../../moves/unless-lost.ts';
import type { RedisShard } from '../shard.ts';
import { compareAll, compareTouched } from './comparing.ts';
import { bring, follow, type Sides } from './following.ts';
import { leftovers } from './leftovers.ts';
import { planOf } from './plan.ts';
import * as scripts from './scripts.ts';
import { Side } from './side.ts';

/** How long one look at the lag brings keys over. */
const followMs = 1_000;
/** A guess: what a noted key takes. */
const bytesOfNote = 100;
/** How long a server waits at a time for its replicas. */
const replicasMs = 100;

/** Moves slots between primaries of Redis: values by DUMP and RESTORE, and the keys that were written meanwhile again. */
export class RedisMoves implements MoveBackend {
  readonly #shards: Readonly<Record<string, RedisShard>>;
  readonly #maxValueBytes: number;

  constructor(shards: Readonly<Record<string, RedisShard>>, maxValueBytes: number) {
    this.#shards = shards;
    this.#maxValueBytes = maxValueBytes;
  }

  async plan(move: MoveSpec, signal: AbortSignal): Promise<MovePlan> {
    const obstacles = unknownShards(move, this.#shards);
    if (obstacles.length > 0) return { obstacles, warnings: [], tables: [] };
    return planOf(move, this.#shards[move.from]!, this.#shards[move.to]!, this.#maxValueBytes, signal);
  }

  async prepare(move: MoveSpec, context: MoveContext): Promise<void> {
    const { target } = await this.#take(move, context);
    await target.run(scripts.states, 'c', '', 'left', ...target.slots);
  }

  async copy(move: MoveSpec, context: MoveContext): Promise<void> {
    const sides = await this.#take(move, context);
    const { source, target } = sides;
    const pair = pairOf(sides);
    if (follows(sides) && (await has(source, 'f'))) return;
    let [identities, cursor] = target.cursor.split(' ');
    if (identities !== pair || !(await has(source, 'f')) || !(await has(target, 'c'))) {
      await target.run(scripts.states, 'c', '', 'left', ...target.slots);
      if (!target.isTurned) await target.run(scripts.note, ':copied', '');
      await target.clear();
      await target.run(scripts.remove, target.touched);
      // From here on every write is noted. What an attempt before has noted is for a copy that is gone
      await source.run(scripts.remove, source.dirty);
      await source.run(scripts.states, 'f', '', 'left', ...source.slots);
      cursor = '0';
    }
    let rows = 0;
    for await (const { keys, next } of source.keys(cursor)) {
      await bring(sides, keys);
      if (next !== '0') await target.run(scripts.note, ':cursor', `${pair} ${next}`);
      rows += keys.length;
      context.progress({ table: 'keys', rows });
    }
    await target.run(scripts.note, ':copied', target.isTurned ? `${pair} turned` : pair);
    await target.run(scripts.note, ':cursor', '');
  }

  async lag(move: MoveSpec, context: MoveContext): Promise<MoveLag> {
    let sides = await this.#take(move, context);
    if (!follows(sides) && sides.target.isTurned) {
      // A move that is rolled back has no step to copy, and its old source nothing that anybody reads
      await this.copy(move, context);
      sides = await this.#take(move, context);
    }
    assertFollows(sides);
    const { lagMs, left } = await follow(sides, followMs);
    return { lagMs, retainedBytes: left * bytesOfNote };
  }

  async verify(move: MoveSpec, context: MoveContext): Promise<Verification> {
    return compareAll(await this.#following(move, context, 'look'));
  }

  async fence(move: MoveSpec, context: MoveContext, withinMs: number): Promise<void> {
    const sides = await this.#following(move, context);
    const { source } = sides;
    // So that little is left for the pause
    await compareTouched(sides, true);
    context.closing?.();
    if (await source.durably(withinMs, scripts.states, 'c', 'fc', 'lost', ...source.slots)) return;
    await source.run(scripts.states, 'f', 'c', 'left', ...source.slots);
    const cause = new Error(`the replicas of ${source.name} had not got the fence within ${withinMs} ms`);
    throw new FenceBusyError(source.name, { cause });
  }

  async unfence(move: MoveSpec, context: MoveContext): Promise<void> {
    const source = await Side.take(knownShard(this.#shards, move.from), move.from, move, context, 'step');
    await source.run(scripts.states, 'f', 'c', 'left', ...source.slots);
  }

  async drain(move: MoveSpec, context: MoveContext): Promise<void> {
    const sides = await this.#following(move, context);
    while ((await follow(sides, followMs)).left > 0) context.signal.throwIfAborted();
    while (!(await sides.target.durably(replicasMs, scripts.note, ':drained', '1')))
      context.signal.throwIfAborted();
  }

  async recheck(move: MoveSpec, context: MoveContext): Promise<Verification> {
    const sides = await this.#following(move, context);
    const found = await compareTouched(sides, false);
    if (await has(sides.source, 'c')) return found;
    throw new MoveBlockedError(move.id, `somebody has opened the fence at ${move.from}`);
  }

  async turn(move: MoveSpec, context: MoveContext): Promise<void> {
    const sides = await this.#take(move, context);
    const { source, target } = sides;
    const back = `${pairOf({ source: target, target: source })} turned`;
    if ((await has(target, 'f')) && source.copied === back && (await has(source, 'c'))) return;
    assertFollows(sides);
    await target.run(scripts.remove, target.dirty);
    // A source that failed over without its fence would still take writes
    await source.run(scripts.states, 'c', 'c', 'lost', ...source.slots);
    await source.run(scripts.note, ':copied', back);
    await source.run(scripts.remove, source.touched);
    await target.durably(replicasMs, scripts.states, 'f', 'cf', 'lost', ...target.slots);
  }

  async abort(move: MoveSpec, context: MoveContext): Promise<void> {
    // First of all, whatever the target does
    const source = await this.#end(move.from, move, context);
    await source?.run(scripts.states, '', 'fc', 'left', ...source.slots);
    const target = await this.#end(move.to, move, context);
    if (target !== undefined) {
      // It does not have these slots, whatever it had before
      await target.run(scripts.states, 'g', '', 'left', ...target.slots);
      await target.clear();
    }
    for (const side of [source, target]) if (side !== undefined) await forget(side);
  }

  async finish(move: MoveSpec, context: MoveContext): Promise<void> {
    const source = await this.#end(move.from, move, context);
    const target = await this.#end(move.to, move, context);
    await source?.run(scripts.states, 'g', '', 'left', ...source.slots);
    await target?.run(scripts.states, '', 'fc', 'left', ...target.slots);
    await source?.clear(rows => context.progress({ table: 'keys', rows }));
    for (const side of [source, target]) if (side !== undefined) await forget(side);
  }

  async leaks(shard: string, current: readonly string[]): Promise<readonly string[]> {
    return leftovers(knownShard(this.#shards, shard), current);
  }

  /** Ends the move at a shard; undefined of one that is lost. @throws ShardFailedError */
  #end(shard: string, move: MoveSpec, context: MoveContext): Promise<Side | undefined> {
    return unlessLost(shard, context, signal =>
      abortable(
        Side.take(knownShard(this.#shards, shard), shard, move, { ...context, signal }, 'end'),
        signal,
      ),
    );
  }

  async #take(move: MoveSpec, context: MoveContext, how: 'step' | 'look' = 'step'): Promise<Sides> {
    const [from, to] = [knownShard(this.#shards, move.from), knownShard(this.#shards, move.to)];
    const [source, target] = await both(
      Side.take(from, move.from, move, context, how),
      Side.take(to, move.to, move, context, how),
    );
    return { source, target, maxValueBytes: this.#maxValueBytes };
  }

  /** For a step that goes by the copy. @throws LostCopyError when it is not that of these two servers */
  async #following(move: MoveSpec, context: MoveContext, how?: 'look'): Promise<Sides> {
    const sides = await this.#take(move, context, how);
    assertFollows(sides);
    return sides;
  }
}

/** Settles when both have: what is on its way would belong to the next step. */
async function both<T>(first: Promise<T>, second: Promise<T>): Promise<[T, T]> {
  await Promise.allSettled([first, second]);
  return [await first, await second];
}

/** Whether what the target has is a copy of this source, since both are what they were. */
function follows(sides: Sides): boolean {
  return sides.target.copied.split(' ')[0] === pairOf(sides);
}

function assertFollows(sides: Sides): void {
  if (follows(sides)) return;
  const { name, move } = sides.target;
  throw new LostCopyError(
    move.id,
    `${name} has no copy that follows, since a primary was restarted or replaced`,
  );
}

function pairOf({ source, target }: Pick<Sides, 'source' | 'target'>): string {
  return `${source.identity}/${target.identity}`;
}

async function has(side: Side, letter: string): Promise<boolean> {
  return Number(await side.run(scripts.have, letter, ...side.slots)) === 1;
}

async function forget(side: Side): Promise<void> {
  await side.run(scripts.remove, side.dirty, side.touched);
  for (const name of [':copied', ':cursor', ':drained']) await side.run(scripts.note, name, '');
}
