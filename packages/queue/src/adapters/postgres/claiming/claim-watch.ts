import { channels } from '../../../diagnostics.ts';
import type { Sessions } from '../sessions.ts';

/** A snapshot that is held so long keeps dead rows of all tables. */
const oldSnapshotMs = 60_000;
const lookMs = 10_000;

/** Warns when a snapshot of anyone has been held so long that the rows of settled messages pile up. */
export class ClaimWatch {
  readonly #sessions: Sessions;
  readonly #oldMs: number;
  #lookedAt = performance.now();
  #warnedOf: string | undefined;

  constructor(sessions: Sessions, oldMs: number = oldSnapshotMs) {
    this.#sessions = sessions;
    this.#oldMs = oldMs;
  }

  claimed(): void {
    if (
      !channels.warning.hasSubscribers ||
      performance.now() < this.#lookedAt + Math.min(lookMs, this.#oldMs)
    )
      return;
    this.#lookedAt = performance.now();
    this.#look().catch(() => {}); // It is advice only
  }

  async #look(): Promise<void> {
    const text = `SELECT a.pid, a.pid || ' ' || extract(epoch FROM a.xact_start) AS which,
        round(1000 * extract(epoch FROM clock_timestamp() - a.xact_start))::float8 AS ms
      FROM pg_stat_activity a WHERE a.datname = current_database() AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
      AND a.xact_start < clock_timestamp() - $1::float8 * interval '1 millisecond' AND a.backend_type = 'client backend'
      ORDER BY a.xact_start LIMIT 1`;
    const [row] = await this.#sessions.run('a look', 'NotExecuted', text, [this.#oldMs]);
    if (row === undefined || row['which'] === this.#warnedOf) return;
    this.#warnedOf = row['which'];
    const seconds = Math.round(row['ms'] / 1_000);
    const warning = `a transaction of process ${row['pid']} has been open for ${seconds} s: PostgreSQL keeps the rows of all messages that are settled meanwhile`;
    channels.warning.publish({ driver: 'postgres', warning });
  }
}
