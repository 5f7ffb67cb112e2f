import { eventually, type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { postgresMoves } from '../../../src/adapters/postgres.ts';
import type { Tables } from '../../../src/tables/table.ts';
import type { How } from '../plan.ts';
import { type ReplacingSite, shardNames } from './site.ts';
import { createTable, dumpOf, keyOf, makeAnew, type SqlLike, spec } from './sql.ts';

const mine = '= (SELECT oid FROM pg_database WHERE datname = current_database())';
const slots = 'FROM pg_replication_slots WHERE database = current_database()';

/**
 * Two databases of one server, which are made anew by statements. All their sessions end then, and what replicates, but where a `disk` of
 * before is restored: its subscription goes on where the other side keeps its log from.
 */
export class PostgresSite implements ReplacingSite {
  readonly hows: readonly How[] = ['empty', 'backup', 'disk'];
  readonly key = 'text';
  readonly tables: Tables = { notes: spec };
  readonly keyOf: ReplacingSite['keyOf'] = keyOf;
  readonly #server: Postgres;
  readonly #clients = new Map<string, pg.Client>();

  private constructor(server: Postgres) {
    this.#server = server;
  }

  static async start(): Promise<PostgresSite> {
    const config = { wal_retrieve_retry_interval: '50ms', max_replication_slots: 20, max_wal_senders: 20 };
    const site = new PostgresSite(await startPostgres({ own: true, config }));
    const admin = new pg.Client({ connectionString: site.#server.url });
    await admin.connect();
    for (const name of shardNames) await admin.query(`CREATE DATABASE ${name}`);
    await admin.end();
    for (const name of shardNames) {
      const client = new pg.Client(site.#at(name));
      client.on('error', () => {});
      await client.connect();
      await client.query(createTable);
      site.#clients.set(name, client);
    }
    return site;
  }

  async reset(): Promise<void> {
    for (const name of shardNames) await this.#endReplication(name);
    for (const name of shardNames) await makeAnew(this.#sql(name));
  }

  backend(): ReturnType<typeof postgresMoves> {
    const shard = (name: string) => ({
      client: () => new pg.Client(this.#at(name)),
      replication: `host=127.0.0.1 port=${this.#server.port} user=postgres dbname=${name}`,
    });
    return postgresMoves({ shards: { one: shard('one'), two: shard('two') }, copyShare: 1 });
  }

  async write(shard: string, key: string, value: string | undefined): Promise<void> {
    const sql = this.#sql(shard);
    if (value === undefined) await sql.query('DELETE FROM notes WHERE id = $1', [key]);
    else
      await sql.query(
        'INSERT INTO notes VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET note = excluded.note',
        [key, value],
      );
  }

  async rows(shard: string): Promise<Readonly<Record<string, string>>> {
    const rows = await this.#sql(shard).query('SELECT id, note FROM notes');
    return Object.fromEntries(rows.map(({ id, note }) => [id, note]));
  }

  backUp(shard: string): Promise<string> {
    return dumpOf(this.#sql(shard));
  }

  async replace(shard: string, how: How, backup: unknown): Promise<void> {
    const sql = this.#sql(shard);
    if (how !== 'disk') await this.#endReplication(shard);
    await sql.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    );
    await makeAnew(sql, how === 'empty' ? '' : (backup as string));
    // Nobody gets from its log what was done to restore it
    await sql.query(
      `SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) ${slots} AND NOT active`,
    );
  }

  async #endReplication(shard: string): Promise<void> {
    const sql = this.#sql(shard);
    for (const { subname } of await sql.query(`SELECT subname FROM pg_subscription WHERE subdbid ${mine}`)) {
      await sql.exec(`ALTER SUBSCRIPTION ${subname} DISABLE`);
      await sql.exec(`ALTER SUBSCRIPTION ${subname} SET (slot_name = NONE)`);
      await sql.exec(`DROP SUBSCRIPTION ${subname}`);
    }
    await eventually(
      async () => {
        await sql.query(`SELECT pg_terminate_backend(active_pid) ${slots} AND active`);
        await sql.query(`SELECT pg_drop_replication_slot(slot_name) ${slots}`);
      },
      { withinMs: 30_000 },
    );
    for (const { pubname } of await sql.query('SELECT pubname FROM pg_publication'))
      await sql.exec(`DROP PUBLICATION ${pubname}`);
  }

  #at(name: string) {
    return { host: '127.0.0.1', port: this.#server.port, user: 'postgres', database: name };
  }

  #sql(shard: string): SqlLike {
    const client = this.#clients.get(shard)!;
    return {
      exec: text => client.query(text),
      query: async (text, values = []) => (await client.query(text, values)).rows,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of shardNames) await this.#endReplication(name);
    for (const client of this.#clients.values()) await client.end();
    await this.#server.stop();
  }
}
