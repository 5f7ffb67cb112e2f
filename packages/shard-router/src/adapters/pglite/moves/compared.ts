import { LostCopyError } from '../../../errors/moves.ts';
import type { Sides } from '../../postgres/moves/comparing/verifying.ts';
import { moveOf, schema } from '../../postgres/moves/names.ts';

/** Notes at both sides what is compared: with which columns, and that it is these two databases. */
export async function noteCompared(work: Sides, signal: AbortSignal): Promise<void> {
  const note = `${comparison(work)} ${crypto.randomUUID()}`;
  for (const session of [work.source, work.target])
    await session.run(
      `UPDATE ${schema}.move SET verified = $2 WHERE id = $1`,
      [moveOf(work.move.id), note],
      signal,
    );
}

/** @throws LostCopyError where another database is in the place of one that was compared, or its tables have changed */
export async function checkCompared(work: Sides, signal: AbortSignal): Promise<void> {
  const notes: (string | null)[] = [];
  for (const session of [work.source, work.target]) {
    const [row] = await session.run<{ verified: string | null }>(
      `SELECT verified FROM ${schema}.move WHERE id = $1`,
      [moveOf(work.move.id)],
      signal,
    );
    notes.push(row!.verified);
  }
  if (notes[0] === notes[1] && notes[0]?.startsWith(`${comparison(work)} `)) return;
  throw new LostCopyError(
    work.move.id,
    'the databases or their tables have changed since the rows were compared',
  );
}

function comparison({ move, relations }: Sides): string {
  const tables = relations.map(({ table, columns, primaryKey }) => ({ table, columns, primaryKey }));
  return JSON.stringify([move.id, tables]);
}
