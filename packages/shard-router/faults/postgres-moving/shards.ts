import type { Random } from '@ashlar/core';
import {
  childrenOf,
  eventually,
  type Postgres,
  type PostgresServer,
  signal,
  startPostgres,
} from '@workspace/services';
import pg from 'pg';
import type { ShardMap } from '../../src/map/shard-map.ts';
import type { Tally } from '../fault.ts';
import { writesPerSecond } from '../moving/limits.ts';
import { countOf } from '../moving/owners.ts';
import type { Traffic } from '../moving/peers.ts';
import type { Direct, Place } from '../moving/place.ts';
import { customerName } from '../moving/roles.ts';
import { directWrites } from './direct.ts';
import { judge } from './judging.ts';
import type { Settings } from './roles.ts';

const names = ['one', 'two', 'three', 'four'] as const;

/** Four servers with the tables, and a quarter of the rows each; and one for the map. */
export class FourShards implements Place {
  readonly programs: Place['programs'] = {
    client: new URL('./client-process.ts', import.meta.url),
    coordinator: new URL('./coordinator-process.ts', import.meta.url),
  };
  readonly store: Postgres;
  /** The primaries of the moment. */
  readonly servers: ReadonlyMap<string, PostgresServer>;
  readonly customers: readonly string[];
  readonly #primaries = new Map<string, PostgresServer>();
  readonly #started = new Map<string, Postgres>();

  private constructor(store: Postgres, customers: readonly string[]) {
    this.store = store;
    this.servers = this.#primaries;
    this.customers = customers;
  }

  /** @param standbys of each server: with one, which is synchronous, it can fail over once */
  static async start(customers: number, standbys: 0 | 1): Promise<FourShards> {
    const synchronous = { synchronous_standby_names: standbys === 0 ? '' : 'standby0' };
    const config = { wal_retrieve_retry_interval: '100ms', max_wal_size: '1GB', ...synchronous };
    const store = await startPostgres({ own: true, config: { fsync: true, full_page_writes: true } });
    const ids = Array.from({ length: customers }, (_, i) => customerName(i));
    const place = new FourShards(store, ids);
    for (const name of names) {
      const server = await startPostgres({ own: true, standbys, config });
      place.#started.set(name, server);
      place.#primaries.set(name, server);
    }
    for (const name of names) {
      await place.ask(
        name,
        `CREATE TABLE customer (id text PRIMARY KEY, n bigint NOT NULL DEFAULT 0, direct bigint NOT NULL DEFAULT 0);
         CREATE TABLE purchase (customer text REFERENCES customer, id text, PRIMARY KEY (customer, id))`,
      );
    }
    // As the first map divides them: in the order of the names, a quarter each
    for (const [at, name] of [...names].sort().entries()) {
      const where = `(hashtextextended(id, 0) & 1023) / 256 = ${at}`;
      await place.ask(name, `INSERT INTO customer (id) SELECT id FROM unnest($1::text[]) id WHERE ${where}`, [
        ids,
      ]);
      await place.ask(name, `INSERT INTO purchase SELECT id, 'first' FROM customer`);
    }
    return place;
  }

  get settings(): Omit<Settings, 'process'> {
    const shards = Object.fromEntries(
      [...this.#started].map(([name, server]) => {
        const all = [server, ...server.standbys];
        const [hosts, ports] = [all.map(() => '127.0.0.1').join(), all.map(({ port }) => port).join()];
        const replication = `host=${hosts} port=${ports} user=postgres dbname=postgres connect_timeout=2 target_session_attrs=read-write`;
        return [name, { urls: all.map(({ url }) => url), replication }];
      }),
    );
    return { shards, store: this.store.url, customers: this.customers.length, writesPerSecond };
  }

  /** Runs one statement at a shard. */
  // biome-ignore lint/suspicious/noExplicitAny: rows of any statement
  async ask(name: string, statement: string, values?: unknown[]): Promise<any[]> {
    const client = new pg.Client({ connectionString: this.servers.get(name)!.url });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(statement, values)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** A quarter of all slots goes from a shard that has many to one that has few. */
  request(map: ShardMap, random: Random): ReturnType<Place['request']> {
    const all = [...names].sort((a, b) => countOf(map, b) - countOf(map, a) || random() - 0.5);
    const [from, to] = [all[0]!, all.at(-1)!];
    return { kind: 'move', from, to, part: 256 / countOf(map, from) };
  }

  direct(name: string, customer: string): Direct {
    return directWrites(() => this.servers.get(name)!.url, customer);
  }

  async directs(name: string, customer: string): Promise<number> {
    const [row] = await this.ask(name, 'SELECT direct::int FROM customer WHERE id = $1', [customer]);
    return row?.direct ?? 0;
  }

  judge(map: ShardMap, traffic: readonly Traffic[], tally: Tally): Promise<void> {
    return judge(this, map, traffic, tally);
  }

  async restart(name: string): Promise<void> {
    const server = this.servers.get(name)!;
    await server.kill();
    await new Promise(resolve => setTimeout(resolve, 500));
    await server.restart();
  }

  /** The primary is killed for good, and its standby takes its place. */
  async failover(name: string): Promise<void> {
    const standby = this.#started.get(name)!.standbys[0]!;
    await this.servers.get(name)!.kill();
    this.#primaries.set(name, standby);
    await this.ask(name, 'SELECT pg_promote()');
    await eventually(
      async () => {
        // Nobody streams from it
        await this.ask(name, "ALTER SYSTEM SET synchronous_standby_names = ''");
        await this.ask(name, 'SELECT pg_reload_conf()');
      },
      { withinMs: 30_000 },
    );
  }

  /** The postmaster first, so that it has no more children meanwhile. */
  signalAll(name: string, how: NodeJS.Signals): void {
    const { pid } = this.servers.get(name)!;
    for (const each of [pid, ...childrenOf(pid)]) signal(each, how);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [...this.#started.values(), this.store]) await server.stop();
  }
}
