import { FenceBusyError, MoveBlockedError } from '../../../errors/moves.ts';
import { knownShard, unknownShards } from '../../../moves/known-shards.ts';
import type {
  ExtendedFences,
  Following,
  MoveBackend,
  MoveContext,
  MoveLag,
  MovePlan,
  MoveSpace,
  MoveSpec,
  Obstacle,
  Verification,
} from '../../../moves/move-backend.ts';
import { claim, isClaimed } from '../../postgres/moves/claiming.ts';
import { deleteRows, leftovers } from '../../postgres/moves/cleaning.ts';
import { checkRestored } from '../../postgres/moves/comparing/timeline.ts';
import { isNoting, noteTouched } from '../../postgres/moves/comparing/touched.ts';
import {
  compareAll,
  compareFenced,
  compareTouched,
  type Sides,
} from '../../postgres/moves/comparing/verifying.ts';
import { extendFences } from '../../postgres/moves/extending.ts';
import {
  closeMissing,
  closeSource,
  denyTruncate,
  dropFence,
  open,
  openTarget,
  stands,
} from '../../postgres/moves/fence.ts';
import { directed, inSlices, relation, reversed } from '../../postgres/moves/names.ts';
import { planOf } from '../../postgres/moves/planning/plan.ts';
import { slotSizes } from '../../postgres/moves/planning/sizes.ts';
import { relationsOf } from '../../postgres/moves/relations.ts';
import { admit, purge, retire } from '../../postgres/moves/retiring.ts';
import { carriedSequences, carrySequences } from '../../postgres/moves/sequences.ts';
import type { SqlSession } from '../../postgres/moves/sessions/sql-session.ts';
import type { PGliteMovedLike } from '../clients.ts';
import { bring, broughtOf, copyAll } from './bringing.ts';
import { checkCompared, noteCompared } from './compared.ts';
import { endFollowing, endNotes, forgetBrought, notedBytes, ofBrought } from './notes.ts';
import { BusySessionError, PGliteSession } from './session.ts';

export interface PGliteMovesSettings {
  readonly shards: Readonly<Record<string, { readonly db: PGliteMovedLike }>>;
  readonly batch: number;
}

interface Work extends Sides {
  readonly signal: AbortSignal;
}

/** For what may not be stopped, and takes an instant. */
const never: AbortSignal = new AbortController().signal;

/** Moves slots between databases of PGlite, by notes of what is written. */
export class PGliteMoves implements MoveBackend {
  readonly #settings: PGliteMovesSettings;

  constructor(settings: PGliteMovesSettings) {
    this.#settings = settings;
  }

  async plan(spec: MoveSpec, signal: AbortSignal): Promise<MovePlan> {
    const move = directed(spec);
    const obstacles = unknownShards(spec, this.#settings.shards);
    if (obstacles.length > 0) return { obstacles, warnings: [], tables: [] };
    const [source, target] = [this.#look(move.from), this.#look(move.to)];
    const plan = await planOf(move, source, target, faultsOfDatabase, signal);
    if (plan.obstacles.length > 0) return plan;
    // Nothing here analyzes tables, so the estimates know nothing
    const tables: { table: string; rows: number; bytes: number }[] = [];
    for (const { table } of plan.tables) {
      const [row] = await source.run<{ rows: number; bytes: number }>(
        `SELECT count(*)::float8 AS "rows", coalesce(sum(pg_column_size(t.*)), 0)::float8 AS bytes FROM ${relation(table)} t
         WHERE ${inSlices(move, table, move.slices, 't.')}`,
        [],
        signal,
      );
      tables.push({ table, ...row! });
    }
    return { ...plan, tables };
  }

  sizes(shard: string, space: MoveSpace, signal: AbortSignal): Promise<ReadonlyMap<number, number>> {
    return slotSizes(this.#look(shard), space, space.tables, signal);
  }

  async prepare(spec: MoveSpec, context: MoveContext): Promise<void> {
    const { move, target, signal } = await this.#begin(spec, context);
    await claim(target, move, signal);
  }

  async copy(spec: MoveSpec, context: MoveContext): Promise<void> {
    const work = await this.#begin(spec, context);
    const { move, source, target, relations, signal } = work;
    await claim(target, move, signal);
    await denyTruncate(source, move, relations, signal);
    await noteTouched(source, move, relations, signal);
    // Of a copy that was not finished
    await deleteRows(target, move, relations, () => {}, signal);
    await copyAll(work, this.#settings.batch, context.progress, signal);
  }

  async lag(spec: MoveSpec, context: MoveContext): Promise<MoveLag> {
    const work = await this.#begin(spec, context);
    const startedAt = performance.now();
    await bring(work, work.signal);
    const lagMs = performance.now() - startedAt;
    return { lagMs, retainedBytes: await notedBytes(work.source, work.move, work.signal) };
  }

  async verify(spec: MoveSpec, context: MoveContext): Promise<Verification> {
    const work = await this.#begin(spec, context);
    const { signal } = work;
    await forgetBrought(work.source, work.move, signal);
    const all = await compareAll(work, signal);
    const since = await compareTouched(ofBrought(work), signal);
    await noteCompared(work, signal);
    return { rows: all.rows + since.rows, differences: [...all.differences, ...since.differences] };
  }

  async fence(spec: MoveSpec, context: MoveContext, withinMs: number): Promise<void> {
    try {
      const work = await this.#begin(spec, context, { withinMs });
      const { move, source, signal } = work;
      await checkCompared(work, signal);
      const { differences } = await compareTouched(ofBrought(work), signal);
      if (differences.length > 0)
        throw new MoveBlockedError(move.id, 'rows at the target differ from the source');
      // The notes of these are gone, so what is restored from before would lack them unnoticed
      await noteCompared(work, signal);
      await closeSource(source, move, { withinMs, together: true }, signal);
    } catch (error) {
      throw error instanceof BusySessionError ? new FenceBusyError(spec.from, { cause: error }) : error;
    }
  }

  async unfence(spec: MoveSpec, context: MoveContext): Promise<void> {
    const { move, source, signal } = await this.#begin(spec, context);
    await open(source, [move.id], signal);
  }

  async drain(spec: MoveSpec, context: MoveContext): Promise<void> {
    const work = await this.#begin(spec, context);
    await bring(work, work.signal);
  }

  async recheck(spec: MoveSpec, context: MoveContext): Promise<Verification> {
    const work = await this.#begin(spec, context);
    const { move, source, relations, signal } = work;
    const verification = await compareFenced(ofBrought(work), signal);
    await checkCompared(work, signal);
    if (!(await stands(source, move, relations, signal)))
      throw new MoveBlockedError(move.id, `somebody has changed the triggers of the fence at ${move.from}`);
    return verification;
  }

  async turn(spec: MoveSpec, context: MoveContext): Promise<void> {
    const work = await this.#begin(spec, context);
    const { move, target, relations, signal } = work;
    await checkRestored(work, signal);
    await noteTouched(target, reversed(move), relations, signal);
    await carrySequences(work, await carriedSequences(work, signal), signal);
    await openTarget(work, signal);
  }

  async follow(spec: MoveSpec, context: MoveContext): Promise<void> {
    const { move, source, target, relations, signal } = await this.#begin(spec, context);
    await endNotes(source, move, signal);
    const back = reversed(move);
    await bring({ move: back, source: target, target: source, relations }, signal);
    await forgetBrought(target, back, signal);
  }

  async following(spec: MoveSpec, signal: AbortSignal): Promise<Following> {
    const move = directed(spec);
    const [old, owner] = [this.#look(move.from), this.#look(move.to)];
    const retainedBytes = await notedBytes(owner, reversed(move), signal);
    if (!(await isNoting(owner, reversed(move), signal))) return { state: 'ended', retainedBytes };
    const isLeft = await isNoting(old, move, signal);
    return { state: isLeft || retainedBytes > 0 ? 'waiting' : 'follows', retainedBytes };
  }

  async unfollow(spec: MoveSpec, context: MoveContext): Promise<void> {
    const work = await this.#begin(spec, context);
    await endFollowing(work, work.signal);
  }

  async abort(spec: MoveSpec, context: MoveContext): Promise<void> {
    const work = await this.#begin(spec, context, { aborts: true });
    const { move, source, target, relations, signal } = work;
    await open(source, [move.id], signal);
    await endFollowing(work, signal);
    await dropFence(source, move, 'none', signal);
    if (await isClaimed(target, move, signal)) await deleteRows(target, move, relations, () => {}, signal);
    await dropFence(target, move, 'restored', signal);
    for (const session of [source, target]) await dropFence(session, reversed(move), 'none', signal);
  }

  async finish(spec: MoveSpec, context: MoveContext): Promise<void> {
    const work = await this.#begin(spec, context);
    const { move, source, target, relations, signal } = work;
    await endFollowing(work, signal);
    await closeMissing(source, move, signal);
    await deleteRows(source, move, relations, (table, rows) => context.progress({ table, rows }), signal);
    await dropFence(source, move, 'all', signal);
    await dropFence(target, move, 'none', signal);
    for (const session of [source, target]) await dropFence(session, reversed(move), 'none', signal);
  }

  async retire(
    spec: MoveSpec,
    context: MoveContext,
    how: { readonly withinMs: number; readonly keepsRows: boolean },
  ): Promise<readonly string[]> {
    const db = this.#db(spec.from);
    try {
      return await retire(new PGliteSession(spec.from, db, undefined, how.withinMs), spec, context, how);
    } catch (error) {
      throw error instanceof BusySessionError ? new FenceBusyError(spec.from, { cause: error }) : error;
    }
  }

  admit(spec: MoveSpec, context: MoveContext): Promise<void> {
    return admit(this.#look(spec.to), spec, context);
  }

  purge(spec: MoveSpec, context: MoveContext): Promise<number> {
    return purge(this.#look(spec.from), spec, context);
  }

  extendFences(router: string, space: MoveSpace, signal: AbortSignal): Promise<ExtendedFences> {
    const names = Object.keys(this.#settings.shards);
    return extendFences(names, router, space, (shard, work) => work(this.#look(shard)), signal);
  }

  leaks(shard: string, current: readonly string[]): Promise<readonly string[]> {
    return leftovers(this.#look(shard), current, never);
  }

  #db(shard: string): PGliteMovedLike {
    return knownShard(this.#settings.shards, shard).db;
  }

  #look(shard: string): PGliteSession {
    return new PGliteSession(shard, this.#db(shard));
  }

  /** @param options `aborts` for whoever undoes the move, which ends it for all others @throws StaleMoveError, BusySessionError */
  async #begin(
    spec: MoveSpec,
    { token, signal }: MoveContext,
    { aborts = false, withinMs }: { readonly aborts?: boolean; readonly withinMs?: number } = {},
  ): Promise<Work> {
    const move = directed(spec);
    const worker = { id: spec.id, token, aborts };
    const at = (shard: string) => PGliteSession.begin(shard, this.#db(shard), worker, signal, withinMs);
    const [source, target] = [await at(move.from), await at(move.to)];
    const relations = await relationsOf(source, move, signal);
    const arrived = () => bring({ move, source, target, relations }, signal);
    const notedAs = [move.id, broughtOf(move).id];
    return { move, source, target, relations, notedAs, arrived, signal };
  }
}

/** What a database of PGlite lacks for moves. */
async function faultsOfDatabase(
  session: SqlSession,
  _: MoveSpec,
  signal: AbortSignal,
): Promise<readonly Obstacle[]> {
  const [row] = await session.run<{ names: readonly string[] }>(
    `SELECT coalesce(jsonb_agg(evtname), '[]') AS names FROM pg_event_trigger WHERE evtenabled <> 'D'`,
    [],
    signal,
  );
  if (row!.names.length === 0) return [];
  const words = `event triggers (${row!.names.join(', ')}) may change what a move creates: disable them meanwhile`;
  return [{ kind: 'event_trigger', shard: session.shard, words }];
}
