import { sleep } from '@ashlar/core';
import type { MoveContext } from '../../../../moves/move-backend.ts';
import type { Sides } from '../comparing/verifying.ts';
import { nameOf, relation } from '../names.ts';
import { retainedBytes, WorkerErrors } from './following.ts';

/** Milliseconds between two looks at a copy. */
const stepMs = 250;

interface TableRow {
  readonly quoted: string;
  readonly isWaiting: boolean;
  readonly isDone: boolean;
  /** Rows copied so far, while it is being copied. */
  readonly rows: number | null;
}

/**
 * Resolves when the rows that were there are copied, and the changes since are followed. Of a table that is being copied its worker says how
 * many rows are here; how many there are to be is an estimate until then.
 */
export async function copied(
  { move, source, target, relations }: Sides,
  progress: MoveContext['progress'],
  signal: AbortSignal,
): Promise<void> {
  const share = move.slices.reduce((sum, { from, to }) => sum + to - from, 0) / move.slots;
  const expected = new Map(relations.map(({ table, rows }) => [relation(table), Math.round(rows * share)]));
  const seen = new Map<string, number>();
  const watch = new WorkerErrors(target, move.id);
  for (;;) {
    const tables = await target.run<TableRow>(
      `SELECT w.quoted, r.srsubstate <> 'r' AS "isWaiting", r.srsubstate NOT IN ('i', 'd') AS "isDone",
         (SELECT sum(p.tuples_processed)::float8 FROM pg_stat_progress_copy p WHERE p.relid = r.srrelid) AS "rows"
       FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
       LEFT JOIN unnest($2::text[]) w (quoted) ON r.srrelid = to_regclass(w.quoted) WHERE s.subname = $1`,
      [nameOf(move.id), [...expected.keys()]],
      signal,
    );
    let rows = 0;
    let ofRows = 0;
    // The table of the marks has no name here
    for (const { quoted, isDone, rows: copying } of tables.filter(each => each.quoted !== null)) {
      if (copying !== null) seen.set(quoted, copying);
      // Of one that is done, what was seen last was in its midst
      const here = Math.max(seen.get(quoted) ?? 0, isDone ? expected.get(quoted)! : 0);
      rows += here;
      ofRows += isDone ? here : Math.max(here, expected.get(quoted)!);
    }
    progress({ rows, ofRows });
    if (tables.length > 0 && !tables.some(({ isWaiting }) => isWaiting)) return;
    await retainedBytes(source, move.id, signal);
    await watch.check(signal);
    await sleep(stepMs, signal);
  }
}
