import type { MoveSpec } from '../../../../moves/move-backend.ts';
import { inSlices, nameOf, relation, schema } from '../names.ts';
import type { SqlSession } from '../sessions/sql-session.ts';
import { unhurried } from '../sessions/unhurried.ts';
import { dropTriggers } from '../triggers.ts';

/** Rows are counted for so long between two pauses, in seconds. */
const stepSeconds = 0.05;

/**
 * The worker that copies a table pauses in a trigger, so the source is read no faster: its connection is full. What has been copied is
 * kept in a setting of the worker's session, as the rows of the step and when the step may end. Workers that copy at the same time share
 * the rate.
 */
const functions = `
  CREATE OR REPLACE FUNCTION ${schema}.pause(seconds float8) RETURNS void LANGUAGE sql AS 'SELECT pg_catalog.pg_sleep(seconds)';
  CREATE OR REPLACE FUNCTION ${schema}.throttle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
  DECLARE
    said text[] := string_to_array(nullif(current_setting('ashlar.throttled', true), ''), ' ');
    "rows" int := coalesce(said[1]::int, 0) + 1;
    due float8 := said[2]::float8;
    seconds float8;
  BEGIN
    IF due IS NULL THEN due := extract(epoch FROM clock_timestamp()); END IF;
    IF "rows" >= TG_ARGV[2]::int THEN
      due := due + "rows" / TG_ARGV[1]::float8 * greatest(1, (SELECT count(*) FROM pg_stat_progress_copy p
        JOIN pg_subscription_rel r ON r.srrelid = p.relid JOIN pg_subscription s ON s.oid = r.srsubid WHERE s.subname = TG_ARGV[0]));
      seconds := due - extract(epoch FROM clock_timestamp());
      IF seconds > 0 THEN PERFORM ${schema}.pause(seconds); END IF;
      -- What was slower for other reasons is not made up for
      due := greatest(due, extract(epoch FROM clock_timestamp()) - ${stepSeconds});
      "rows" := 0;
    END IF;
    PERFORM set_config('ashlar.throttled', concat("rows", ' ', due), false);
    RETURN NEW;
  END $$`;

function nameIn(move: MoveSpec): string {
  return `zz_ashlar_${move.id}_th`;
}

/** Copies to the target no faster from then on. To be called before anything is copied. */
export async function throttle(
  target: SqlSession,
  move: MoveSpec,
  rowsPerSecond: number,
  signal: AbortSignal,
): Promise<void> {
  const step = Math.max(1, Math.round(rowsPerSecond * stepSeconds));
  const [found] = await target.run(
    `SELECT to_regprocedure('${schema}.throttle()') IS NOT NULL AS "isThere"`,
    [],
    signal,
  );
  if (!found.isThere) await target.run(functions, [], signal);
  const triggers = Object.keys(move.tables).map(
    table => `CREATE OR REPLACE TRIGGER ${nameIn(move)} BEFORE INSERT ON ${relation(table)} FOR EACH ROW
      WHEN (${inSlices(move, table, move.slices, 'NEW.')}) EXECUTE FUNCTION ${schema}.throttle('${nameOf(move.id)}', '${rowsPerSecond}', '${step}');
      ALTER TABLE ${relation(table)} ENABLE ALWAYS TRIGGER ${nameIn(move)};`,
  );
  await unhurried(target, signal, () => target.run(triggers.join('\n'), [], signal));
}

/** What is written from then on is as fast as it can be. */
export async function endThrottle(target: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  const names = [nameIn(move)];
  const found = await target.run('SELECT FROM pg_trigger WHERE tgname = ANY ($1)', [names], signal);
  if (found.length > 0) await unhurried(target, signal, () => dropTriggers(target, names, signal));
}
