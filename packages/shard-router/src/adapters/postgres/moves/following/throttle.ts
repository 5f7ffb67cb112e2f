import type { MoveSpec } from '../../../../moves/move-backend.ts';
import { inSlices, nameOf, relation, schema } from '../names.ts';
import type { SqlSession } from '../sessions/sql-session.ts';
import { unhurried } from '../sessions/unhurried.ts';
import { dropTriggers } from '../triggers.ts';

/** How fast rows are copied, of all tables together. */
export interface CopyPace {
  /** The part of the time in which rows are copied. */
  readonly share: number;
  readonly rowsPerSecond?: number | undefined;
}

/** Rows between two pauses: few, so that a pause is short, and enough that looking at the clock costs nothing. */
const stepRows = 200;
/** With a rate, they are counted for so long at most, in seconds. */
const stepSeconds = 0.05;

/**
 * The worker that copies a table pauses in a trigger, so the source is read no faster: its connection is full. Rows that took long, since the
 * machine is busy, are followed by a long pause. What has been copied is kept in a setting of the worker's session: the rows of the step, when it
 * began, and when it may end by the rate. Workers that copy at the same time share the pace.
 */
const functions = `
  CREATE OR REPLACE FUNCTION ${schema}.pause(seconds float8) RETURNS void LANGUAGE sql AS 'SELECT pg_catalog.pg_sleep(seconds)';
  CREATE OR REPLACE FUNCTION ${schema}.throttle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
  DECLARE
    said text[] := string_to_array(nullif(current_setting('ashlar.throttled', true), ''), ' ');
    "rows" int := coalesce(said[1]::int, 0) + 1;
    begun float8 := said[2]::float8;
    due float8 := said[3]::float8;
    now float8;
    workers int;
    seconds float8;
  BEGIN
    IF begun IS NULL OR "rows" >= TG_ARGV[1]::int THEN
      now := extract(epoch FROM clock_timestamp());
      IF begun IS NOT NULL THEN
        SELECT greatest(1, count(*)) INTO workers FROM pg_stat_progress_copy p
          JOIN pg_subscription_rel r ON r.srrelid = p.relid JOIN pg_subscription s ON s.oid = r.srsubid WHERE s.subname = TG_ARGV[0];
        seconds := (now - begun) * (workers / TG_ARGV[2]::float8 - 1);
        due := due + "rows" * workers / TG_ARGV[3]::float8;
        seconds := greatest(seconds, due - now);
        IF seconds > 0 THEN PERFORM ${schema}.pause(seconds); END IF;
        now := extract(epoch FROM clock_timestamp());
        "rows" := 0;
      END IF;
      begun := now;
      -- What was slower for other reasons is not made up for
      due := CASE WHEN due IS NULL THEN now ELSE greatest(due, now - ${stepSeconds}) END;
    END IF;
    PERFORM set_config('ashlar.throttled', concat_ws(' ', "rows", begun, due), false);
    RETURN NEW;
  END $$`;

function nameIn(move: MoveSpec): string {
  return `zz_ashlar_${move.id}_th`;
}

/** Copies to the target at that pace from then on. To be called before anything is copied. */
export async function throttle(
  target: SqlSession,
  move: MoveSpec,
  { share, rowsPerSecond = Number.POSITIVE_INFINITY }: CopyPace,
  signal: AbortSignal,
): Promise<void> {
  // A process that died before it copied anything may have left its own pace
  if (share === 1 && rowsPerSecond === Number.POSITIVE_INFINITY) return endThrottle(target, move, signal);
  const step = Math.max(1, Math.min(stepRows, Math.round(rowsPerSecond * stepSeconds)));
  const [found] = await target.run(
    `SELECT to_regprocedure('${schema}.throttle()') IS NOT NULL AS "isThere"`,
    [],
    signal,
  );
  if (!found.isThere) await target.run(functions, [], signal);
  const triggers = Object.keys(move.tables).map(
    table => `CREATE OR REPLACE TRIGGER ${nameIn(move)} BEFORE INSERT ON ${relation(table)} FOR EACH ROW
      WHEN (${inSlices(move, table, move.slices, 'NEW.')}) EXECUTE FUNCTION ${schema}.throttle('${nameOf(move.id)}', '${step}', '${share}', '${rowsPerSecond}');
      ALTER TABLE ${relation(table)} ENABLE ALWAYS TRIGGER ${nameIn(move)};`,
  );
  await unhurried(target, signal, () => target.run(triggers.join('\n'), [], signal));
}

/** What is written from then on is as fast as it can be. */
export async function endThrottle(target: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  await dropTriggers(target, [nameIn(move)], signal);
}
