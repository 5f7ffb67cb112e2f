import { sleep } from '@ashlar/core';
import { LostCopyError, MoveBlockedError } from '../../../errors/moves.ts';
import type {
  ExtendedFences,
  Following,
  MoveBackend,
  MoveContext,
  MoveLag,
  MovePlan,
  MoveSpace,
  MoveSpec,
  Verification,
} from '../../../moves/move-backend.ts';
import { claim, isClaimed } from './claiming.ts';
import { deleteRows, leftovers } from './cleaning.ts';
import { checkRestored, checkTimeline, noteTimeline } from './comparing/timeline.ts';
import { noteTouched } from './comparing/touched.ts';
import { compareAll, compareFenced, compareTouched } from './comparing/verifying.ts';
import { settleDoubts } from './doubts.ts';
import { extendFences } from './extending.ts';
import { closeMissing, closeSource, denyTruncate, dropFence, open, openTarget, stands } from './fence.ts';
import { copied } from './following/copying.ts';
import { dropFencesOfBack, endFollowing, follow, followAgain, prepareBack } from './following/directions.ts';
import { followingOf } from './following/followed.ts';
import {
  arrival,
  barrier,
  checkFollows,
  confirmed,
  hasSubscription,
  mark,
  passOver,
  publish,
  retainedBytes,
  subscribe,
  unpublish,
  unsubscribe,
  WorkerErrors,
} from './following/following.ts';
import { type CopyPace, endThrottle, throttle } from './following/throttle.ts';
import { backOf, directed, schema } from './names.ts';
import { planOf } from './planning/plan.ts';
import { faultsOfServer, limitsOfServer } from './planning/server.ts';
import { slotSizes } from './planning/sizes.ts';
import { admit, purge, retire } from './retiring.ts';
import { type CarriedSequence, carriedSequences, carrySequences } from './sequences.ts';
import type { SqlSession } from './sessions/sql-session.ts';
import { type AdministeredShard, Workers } from './sessions/workers.ts';

/** Milliseconds for a mark to arrive before the target counts as behind. */
const arrivalMs = 250;
/** Milliseconds between two looks for it. */
const stepMs = 5;

/** Moves slots between databases of PostgreSQL by logical replication. */
export class PostgresMoves implements MoveBackend {
  readonly #workers: Workers;
  readonly #pace: CopyPace;
  /** Of the directions that are in their pause: those which `fence` has found for `turn`. */
  readonly #sequences = new Map<string, readonly CarriedSequence[]>();

  constructor(shards: Readonly<Record<string, AdministeredShard>>, pace: CopyPace) {
    this.#workers = new Workers(shards);
    this.#pace = pace;
  }

  async plan(spec: MoveSpec, signal: AbortSignal): Promise<MovePlan> {
    const workers = this.#workers;
    const obstacles = workers.unknown(spec);
    if (obstacles.length > 0) return { obstacles, warnings: [], tables: [] };
    return workers.look(spec.from, signal, source =>
      workers.look(spec.to, signal, async target => {
        const plan = await planOf(directed(spec), source, target, faultsOfServer, signal);
        return { ...plan, warnings: [...plan.warnings, ...(await limitsOfServer(source, signal))] };
      }),
    );
  }

  sizes(shard: string, space: MoveSpace, signal: AbortSignal): Promise<ReadonlyMap<number, number>> {
    return this.#workers.look(shard, signal, session => slotSizes(session, space, space.tables, signal));
  }

  async prepare(spec: MoveSpec, context: MoveContext): Promise<void> {
    const { move, target, signal } = await this.#workers.begin(spec, context);
    await claim(target, move, signal);
  }

  async copy(spec: MoveSpec, context: MoveContext): Promise<void> {
    const sides = await this.#workers.begin(spec, context);
    const { move, source, target, relations, signal } = sides;
    await claim(target, move, signal);
    await denyTruncate(source, move, relations, signal);
    if (await this.#isLost(source, target, move, signal)) {
      await unsubscribe(target, move.id, signal);
      await unpublish(source, move.id, signal);
      await deleteRows(target, move, relations, () => {}, signal);
    }
    if (!(await hasSubscription(target, move.id, signal))) {
      await throttle(target, move, this.#pace, signal);
      await publish(source, move, signal);
      await subscribe(target, move.id, await this.#workers.replicationOf(move.from), true, signal);
    }
    await copied(sides, context.progress, signal);
    await endThrottle(target, move, signal);
  }

  async lag(spec: MoveSpec, context: MoveContext): Promise<MoveLag> {
    const sides = await this.#workers.begin(spec, context);
    const { move, source, target, signal } = sides;
    await followAgain(sides, signal);
    const bytes = await retainedBytes(source, move.id, signal);
    await checkFollows(target, move.id, signal);
    await passOver(target, backOf(move.id), signal);
    const startedAt = performance.now();
    const { id } = await mark(source, move.id, signal);
    const watch = new WorkerErrors(target, move.id);
    for (;;) {
      const { at, isHere } = await arrival(target, move.id, id, signal);
      const ms = performance.now() - startedAt;
      if (isHere) return { lagMs: ms, retainedBytes: bytes };
      if (ms > arrivalMs) {
        await watch.check(signal);
        return { lagMs: await ageMs(source, at, signal), retainedBytes: bytes };
      }
      await sleep(stepMs, signal);
    }
  }

  async verify(spec: MoveSpec, context: MoveContext): Promise<Verification> {
    const sides = await this.#workers.begin(spec, context);
    const { move, source, target, relations, signal } = sides;
    await followAgain(sides, signal);
    await noteTouched(source, move, relations, signal);
    const all = await compareAll(sides, signal);
    const since = await compareTouched(sides, signal);
    await noteTimeline(sides, signal);
    await prepareBack(sides, await this.#workers.replicationOf(move.to), signal);
    await passOver(target, backOf(move.id), signal);
    return { rows: all.rows + since.rows, differences: [...all.differences, ...since.differences] };
  }

  async fence(spec: MoveSpec, context: MoveContext, withinMs: number): Promise<void> {
    const sides = await this.#workers.begin(spec, context);
    const { move, source, target, signal } = sides;
    await checkTimeline(sides, signal);
    const { differences } = await compareTouched(sides, signal);
    if (differences.length > 0)
      throw new MoveBlockedError(move.id, 'rows at the target differ from the source');
    // The notes of these are gone, so what is restored from before would lack them unnoticed
    await noteTimeline(sides, signal);
    await passOver(target, backOf(move.id), signal);
    await settleDoubts(this.#workers, source, move.router, signal);
    this.#sequences.set(move.id, await carriedSequences(sides, signal));
    await closeSource(source, move, { withinMs, closing: context.closing }, signal);
  }

  async unfence(spec: MoveSpec, context: MoveContext): Promise<void> {
    const { move, source, signal } = await this.#workers.atSource(spec, context);
    await open(source, [move.id], signal);
  }

  async drain(spec: MoveSpec, context: MoveContext): Promise<void> {
    const { move, source, target, signal } = await this.#workers.begin(spec, context);
    const { position } = await barrier(source, target, move.id, signal);
    await confirmed(source, move.id, position, signal);
  }

  async recheck(spec: MoveSpec, context: MoveContext): Promise<Verification> {
    const sides = await this.#workers.begin(spec, context);
    const { move, source, relations, signal } = sides;
    const verification = await compareFenced(sides, signal);
    await checkTimeline(sides, signal);
    if (!(await stands(source, move, relations, signal))) {
      throw new MoveBlockedError(move.id, `somebody has changed the triggers of the fence at ${move.from}`);
    }
    return verification;
  }

  async turn(spec: MoveSpec, context: MoveContext): Promise<void> {
    const sides = await this.#workers.begin(spec, context);
    const { move, target, signal } = sides;
    await checkRestored(sides, signal);
    await passOver(target, backOf(move.id), signal);
    const carried = this.#sequences.get(move.id);
    // Another attempt, and another process, finds them anew
    this.#sequences.delete(move.id);
    await carrySequences(sides, carried ?? (await carriedSequences(sides, signal)), signal);
    await openTarget(sides, signal);
  }

  async follow(spec: MoveSpec, context: MoveContext): Promise<void> {
    const sides = await this.#workers.begin(spec, context);
    await follow(sides, sides.signal);
  }

  following(spec: MoveSpec, signal: AbortSignal): Promise<Following> {
    const move = directed(spec);
    const look = <T>(shard: string, until: AbortSignal, work: (session: SqlSession) => Promise<T>) =>
      this.#workers.look(shard, until, work);
    return followingOf(move, look, signal);
  }

  async unfollow(spec: MoveSpec, context: MoveContext): Promise<void> {
    // The log fills the disk of the owner, also while the old source is away
    const { move, source, target, signal } = await this.#workers.end(spec, { ...context, lost: spec.from });
    await endFollowing(move, source, target, signal);
  }

  async abort(spec: MoveSpec, context: MoveContext): Promise<void> {
    const opened = (source: SqlSession, { id }: MoveSpec, signal: AbortSignal) => open(source, [id], signal);
    const { move, source, target, relations, signal } = await this.#workers.end(spec, context, opened);
    await endFollowing(move, source, target, signal);
    if (source !== undefined) await dropFence(source, move, 'none', signal);
    if (target !== undefined) {
      await endThrottle(target, move, signal);
      if (await isClaimed(target, move, signal)) await deleteRows(target, move, relations, () => {}, signal);
      await dropFence(target, move, 'restored', signal);
    }
    await dropFencesOfBack(move, [source, target], signal);
    this.#sequences.delete(move.id);
    this.#workers.forget(move);
  }

  async finish(spec: MoveSpec, context: MoveContext): Promise<void> {
    const { move, source, target, relations, signal } = await this.#workers.end(spec, context);
    await endFollowing(move, source, target, signal);
    if (source !== undefined) {
      await closeMissing(source, move, signal);
      await deleteRows(source, move, relations, (table, rows) => context.progress({ table, rows }), signal);
      await dropFence(source, move, 'all', signal);
    }
    if (target !== undefined) await dropFence(target, move, 'none', signal);
    await dropFencesOfBack(move, [source, target], signal);
    this.#workers.forget(move);
  }

  retire(
    spec: MoveSpec,
    context: MoveContext,
    how: { readonly withinMs: number; readonly keepsRows: boolean },
  ): Promise<readonly string[]> {
    return this.#workers.look(spec.from, context.signal, session => retire(session, spec, context, how));
  }

  admit(spec: MoveSpec, context: MoveContext): Promise<void> {
    return this.#workers.look(spec.to, context.signal, session => admit(session, spec, context));
  }

  purge(spec: MoveSpec, context: MoveContext): Promise<number> {
    return this.#workers.look(spec.from, context.signal, session => purge(session, spec, context));
  }

  extendFences(router: string, space: MoveSpace, signal: AbortSignal): Promise<ExtendedFences> {
    const workers = this.#workers;
    return extendFences(
      workers.shards,
      router,
      space,
      (shard, work) => workers.look(shard, signal, work),
      signal,
    );
  }

  leaks(shard: string, current: readonly string[]): Promise<readonly string[]> {
    const { signal } = this.#workers;
    return this.#workers.look(shard, signal, session => leftovers(session, current, signal));
  }

  /** Ends its connections. A move that is not over stays as it is, and any process goes on with it. */
  close(): Promise<void> {
    return this.#workers.close();
  }

  /** Whether the copy has to begin, or to begin anew. */
  async #isLost(
    source: SqlSession,
    target: SqlSession,
    move: MoveSpec,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (!(await hasSubscription(target, move.id, signal))) return true;
    try {
      await retainedBytes(source, move.id, signal);
      return false;
    } catch (error) {
      if (error instanceof LostCopyError) return true;
      throw error;
    }
  }
}

async function ageMs(source: SqlSession, at: string | undefined, signal: AbortSignal): Promise<number> {
  const [row] = await source.run<{ ms: number }>(
    `SELECT (1000 * extract(epoch FROM clock_timestamp() - coalesce($1::timestamptz, (SELECT min(at) FROM ${schema}.mark))))::float8 AS ms`,
    [at ?? null],
    signal,
  );
  return row!.ms;
}
