import type { MoveSpec } from '../../../../moves/move-backend.ts';
import { endTouched } from '../comparing/touched.ts';
import type { Sides } from '../comparing/verifying.ts';
import { dropFence } from '../fence.ts';
import { backOf, reversed } from '../names.ts';
import type { SqlSession } from '../sessions/sql-session.ts';
import { enable, publish, standsStill, subscribe, unpublish, unsubscribe } from './following.ts';

type Pair = Pick<Sides, 'move' | 'source' | 'target'>;

/** Makes what follows in the other direction, standing still: its slot waits for transactions, which no pause can. */
export async function prepareBack(
  { move, source, target }: Sides,
  replication: string,
  signal: AbortSignal,
): Promise<void> {
  const back = reversed(move);
  // Of the direction before this one, or of a worker that died
  await unsubscribe(source, back.id, signal);
  await unpublish(target, back.id, signal);
  await publish(target, back, signal);
  await subscribe(source, back.id, replication, false, signal);
}

/**
 * The old source follows the new one. First the other direction ends: what it sent would come back, and put rows to what they
 * were. What waits for others, who may read the tables for long, comes last.
 */
export async function follow({ move, source, target }: Pair, signal: AbortSignal): Promise<void> {
  await unsubscribe(target, move.id, signal);
  await unpublish(source, move.id, signal);
  if (await standsStill(source, backOf(move.id), signal)) await enable(source, backOf(move.id), signal);
  await endTouched(source, move, signal);
  await endTouched(target, { ...move, id: backOf(move.id) }, signal);
}

/** What the turn before this direction has left to do, where its process did not come to it. */
export async function followAgain({ move, source, target }: Pair, signal: AbortSignal): Promise<void> {
  if (!(await standsStill(target, move.id, signal))) return;
  const before = reversed(move);
  await follow({ move: before, source: target, target: source }, signal);
}

/**
 * In both directions: a move that was turned back has left something of the first, and one that was not, of the second. A side that is lost has
 * nothing that could be ended.
 */
export async function endFollowing(
  move: MoveSpec,
  source: SqlSession | undefined,
  target: SqlSession | undefined,
  signal: AbortSignal,
): Promise<void> {
  const back = reversed(move);
  for (const [each, from, to] of [
    [move, source, target],
    [back, target, source],
  ] as const) {
    if (to !== undefined) await unsubscribe(to, each.id, signal);
    if (from === undefined) continue;
    await unpublish(from, each.id, signal);
    await endTouched(from, each, signal);
  }
}

/** Where this move undoes another, or was undone in part, the fences of that one are open, and of no use. */
export async function dropFencesOfBack(
  move: MoveSpec,
  sessions: readonly (SqlSession | undefined)[],
  signal: AbortSignal,
): Promise<void> {
  for (const session of sessions)
    if (session !== undefined) await dropFence(session, { ...move, id: backOf(move.id) }, 'none', signal);
}
