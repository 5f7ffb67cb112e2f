import { LostCopyError } from '../../../errors/moves.ts';
import { checkRestored, noteAt } from '../../postgres/moves/comparing/timeline.ts';
import type { Sides } from '../../postgres/moves/comparing/verifying.ts';

/** Notes at both sides what is compared: with which columns, and that it is these two databases. */
export async function noteCompared(work: Sides, signal: AbortSignal): Promise<void> {
  const note = `${comparison(work)} ${crypto.randomUUID()}`;
  for (const session of [work.target, work.source]) await noteAt(session, work.move.id, note, signal);
}

/** @throws LostCopyError where another database is in the place of one that was compared, or its tables have changed */
export async function checkCompared(work: Sides, signal: AbortSignal): Promise<void> {
  if ((await checkRestored(work, signal)).startsWith(`${comparison(work)} `)) return;
  throw new LostCopyError(work.move.id, 'the tables have changed since the rows were compared');
}

function comparison({ move, relations }: Sides): string {
  const tables = relations.map(({ table, columns, primaryKey }) => ({ table, columns, primaryKey }));
  return JSON.stringify([move.id, tables]);
}
