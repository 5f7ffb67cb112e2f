import type { QueryClient } from '../clients/client.ts';
import { PartLostError, TwoPhaseUnavailableError } from '../errors/two-phase.ts';
import { AbortedElsewhere, type Decided, type Doubt, keptMs, type Ledger, type Verdict } from './ledger.ts';
import { idIn } from './names.ts';

const table = 'ashlar_shards.decision';

/** What a database needs, for a migration where the role of the program may not create it. */
const creation: readonly string[] = [
  'CREATE SCHEMA IF NOT EXISTS ashlar_shards',
  `CREATE TABLE IF NOT EXISTS ${table} (id text PRIMARY KEY, router text NOT NULL, verdict text NOT NULL, participants jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(), settled boolean NOT NULL DEFAULT false)`,
];

/** A transaction that is older may not be committed any more: so a verdict to abort need not be kept for ever. */
const longest = '1 hour';

/** In the moment between verdict and commit, whoever asks has to wait: a process that stands still there loses its session. */
const mostIdleMs = 10_000;

const undefinedObject = '42704';
const uniqueViolation = '23505';
/** Another session is just about it. */
const busy = '55000';

/** The ledger in a database of PostgreSQL. */
export class SqlLedger implements Ledger {
  readonly #client: QueryClient;

  constructor(client: QueryClient) {
    this.#client = client;
  }

  async ready(shard: string): Promise<void> {
    const [row] = await this.#rows<{ most: number; found: boolean }>(
      `SELECT current_setting('max_prepared_transactions')::int AS most, to_regclass('${table}') IS NOT NULL AS found`,
    );
    if (row!.most === 0) {
      const advice = 'set max_prepared_transactions to the number of connections, and restart';
      throw new TwoPhaseUnavailableError(shard, `it takes no prepared transactions: ${advice}`);
    }
    if (row!.found) return;
    try {
      // Two sessions at once may both create, and one fail
      for (const statement of creation) await this.#rows(statement).catch(() => this.#rows(statement));
    } catch (cause) {
      const advice = `run in a migration: ${creation.join('; ')}`;
      throw new TwoPhaseUnavailableError(shard, `its role may not create the table of verdicts: ${advice}`, {
        cause,
      });
    }
  }

  async now(): Promise<number> {
    const [row] = await this.#rows<{ ms: string }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS ms',
    );
    return Number(row!.ms);
  }

  async prepare(gid: string): Promise<void> {
    // Says later that it was committed. Fails if a statement has failed: to prepare would be to roll back, and no error
    await this.#rows(
      `INSERT INTO ${table} (id, router, verdict, participants, settled) SELECT $1, $2, 'part', '[]', true
       FROM set_config('synchronous_commit', 'on', true)`,
      [gid, idIn(gid)?.router ?? ''],
    );
    await this.#rows(`PREPARE TRANSACTION ${literal(gid)}`);
  }

  async decide(id: string, router: string, participants: readonly string[]): Promise<void> {
    await this.#rows(`SET LOCAL idle_in_transaction_session_timeout = ${mostIdleMs}`);
    let decided: readonly unknown[];
    try {
      decided = await this.#rows(
        `INSERT INTO ${table} (id, router, verdict, participants) SELECT $1, $2, 'commit', $3::jsonb
         WHERE clock_timestamp() - now() < interval '${longest}' RETURNING 1`,
        [id, router, JSON.stringify(participants)],
      );
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== uniqueViolation) throw cause;
      throw new AbortedElsewhere(`transaction ${id} was taken for dead`, { cause });
    }
    if (decided.length === 0) throw new AbortedElsewhere(`transaction ${id} is older than ${longest}`);
  }

  async resolve(id: string, router: string): Promise<Verdict> {
    await this.#rows(
      `INSERT INTO ${table} (id, router, verdict, participants, settled) VALUES ($1, $2, 'abort', '[]', true) ON CONFLICT (id) DO NOTHING`,
      [id, router],
    );
    const [row] = await this.#rows<{ verdict: Verdict }>(`SELECT verdict FROM ${table} WHERE id = $1`, [id]);
    return row!.verdict;
  }

  async settle(gid: string, verdict: Verdict): Promise<void> {
    try {
      await this.#rows(`${verdict === 'commit' ? 'COMMIT' : 'ROLLBACK'} PREPARED ${literal(gid)}`);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== undefinedObject && (code !== busy || (await this.inDoubt(gid)).length > 0)) throw error;
      if (verdict === 'abort') return;
      // A write: it is acknowledged when the commit is too, which somebody may not have waited for
      const found = await this.#rows(
        `UPDATE ${table} SET settled = true WHERE id = $1 AND verdict = 'part' RETURNING 1`,
        [gid],
      );
      if (found.length === 0) throw new PartLostError(gid, { cause: error });
    }
  }

  async inDoubt(prefix: string): Promise<readonly Doubt[]> {
    return this.#rows<Doubt>(
      `SELECT gid, (1000 * extract(epoch FROM clock_timestamp() - prepared))::float8 AS "ageMs" FROM pg_prepared_xacts
       WHERE database = current_database() AND starts_with(gid, $1)`,
      [prefix],
    );
  }

  async unsettled(router: string, olderThanMs: number): Promise<readonly Decided[]> {
    if (!(await this.#isThere())) return [];
    return this.#rows<Decided>(
      `SELECT id, participants FROM ${table} WHERE NOT settled AND router = $1 AND at <= clock_timestamp() - $2::float8 * interval '1 ms'`,
      [router, String(olderThanMs)],
    );
  }

  async settled(id: string): Promise<void> {
    await this.#rows(`UPDATE ${table} SET settled = true WHERE id = $1`, [id]);
  }

  async forget(router: string): Promise<void> {
    if (!(await this.#isThere())) return;
    await this.#rows(
      `DELETE FROM ${table} WHERE settled AND router = $1 AND at < clock_timestamp() - $2::float8 * interval '1 ms'`,
      [router, String(2 * keptMs)],
    );
  }

  async #isThere(): Promise<boolean> {
    const [row] = await this.#rows<{ found: boolean }>(`SELECT to_regclass('${table}') IS NOT NULL AS found`);
    return row!.found;
  }

  async #rows<R>(text: string, values?: unknown[]): Promise<readonly R[]> {
    const { rows } = await this.#client.query(text, values);
    return rows as R[];
  }
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
