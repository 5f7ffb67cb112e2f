import type { MoveSpec } from '../../../moves/move-backend.ts';
import { endTouched } from '../../postgres/moves/comparing/touched.ts';
import type { Sides } from '../../postgres/moves/comparing/verifying.ts';
import { reversed, schema } from '../../postgres/moves/names.ts';
import type { SqlSession } from '../../postgres/moves/sessions/sql-session.ts';
import { broughtOf } from './bringing.ts';

/** The rows that were brought over and are not compared yet. */
export function ofBrought(sides: Sides): Sides {
  return { ...sides, move: broughtOf(sides.move) };
}

export async function forgetBrought(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  await session.run(`DELETE FROM ${schema}.touched WHERE move = $1`, [broughtOf(move).id], signal);
}

export async function endNotes(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  await endTouched(session, move, signal);
  await forgetBrought(session, move, signal);
}

export async function endFollowing({ move, source, target }: Sides, signal: AbortSignal): Promise<void> {
  await endNotes(source, move, signal);
  await endNotes(target, reversed(move), signal);
}

/** Bytes of the notes that nobody has brought over. */
export async function notedBytes(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<number> {
  const [row] = await session.run<{ bytes: number }>(
    `SELECT coalesce(sum(pg_column_size(t.*)), 0)::float8 AS bytes FROM ${schema}.touched t WHERE move = $1`,
    [move.id],
    signal,
  );
  return row!.bytes;
}
