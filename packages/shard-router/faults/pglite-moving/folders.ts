import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import { PGlite } from '@electric-sql/pglite';
import { type Postgres, startPostgres, temporaryDirectory } from '@workspace/services';
import pg from 'pg';
import { pgliteMoves } from '../../src/adapters/pglite.ts';
import { Maps } from '../../src/map/maps.ts';
import type { ShardMap } from '../../src/map/shard-map.ts';
import type { MoveRequest } from '../../src/moves/planner.ts';
import { type Finding, Tally } from '../fault.ts';
import { countOf, ownerOf } from '../moving/owners.ts';
import { customerName, nowMs } from '../moving/roles.ts';
import { judge } from '../postgres-moving/judging.ts';
import { OneProcess } from './one-process.ts';
import { type Death, type LetIn, type Name, names, opened, type Settings } from './roles.ts';

const slots = 1_024;
const writesPerSecond = 100;

/** Two databases of PGlite on disk, with customers between them, and a server where the map is. */
export class Folders implements AsyncDisposable {
  readonly #folder: string;
  readonly #store: Postgres;
  readonly #pool: pg.Pool;
  readonly #maps: Maps;
  readonly #customers: number;
  /** How often each customer was written past the router, as it was at the end of the last run. */
  #directs: ReadonlyMap<string, number> = new Map();

  private constructor(folder: string, store: Postgres, pool: pg.Pool, maps: Maps, customers: number) {
    this.#folder = folder;
    this.#store = store;
    this.#pool = pool;
    this.#maps = maps;
    this.#customers = customers;
  }

  static async make(customers: number): Promise<Folders> {
    const server = await startPostgres({ own: true, config: { fsync: true, full_page_writes: true } });
    const pool = new pg.Pool({ connectionString: server.url });
    pool.on('error', () => {});
    const store = postgresStore({ pool, timeoutMs: 10_000 });
    await store.migrate();
    const made = new Folders(temporaryDirectory(), server, pool, new Maps(store, 'shards'), customers);
    const ids = Array.from({ length: customers }, (_, n) => customerName(n));
    const { one, two } = made.#folders;
    const first = await PGlite.create(one);
    await first.exec(
      `CREATE TABLE customer (id text PRIMARY KEY, n bigint NOT NULL DEFAULT 0, direct bigint NOT NULL DEFAULT 0);
       CREATE TABLE purchase (customer text REFERENCES customer, id text, PRIMARY KEY (customer, id))`,
    );
    await first.close();
    // It takes seconds to make one
    await cp(one, two, { recursive: true });
    const databases = await opened(made.#folders);
    for (const [at, name] of names.entries()) {
      const db = databases[name];
      // As the first map divides them
      const where = `(hashtextextended(id, 0) & ${slots - 1}) / ${slots / 2} = ${at}`;
      await db.query(`INSERT INTO customer (id) SELECT id FROM unnest($1::text[]) id WHERE ${where}`, [ids]);
      await db.exec(`INSERT INTO purchase SELECT id, 'first' FROM customer`);
      await db.close();
    }
    return made;
  }

  /**
   * Half of the slots of the shard that has more go to the other. Each process dies where it is told, and the next opens the folders and goes on;
   * the last one lives until the move is over, and is killed then.
   */
  async run(deaths: readonly Death[], random: Random): Promise<Finding & { readonly words: string }> {
    const tally = new Tally();
    const processes: OneProcess[] = [];
    const { request, had } = await this.#request();
    let diedAt = 0;
    try {
      let committed: boolean | undefined;
      for (const dies of [...deaths, undefined]) {
        const running = new OneProcess(this.#settings(request, Math.floor(random() * 1e9), dies));
        processes.push(running);
        committed = await running.over;
        if (committed !== undefined) {
          await running.writing(5);
          break;
        }
        diedAt = nowMs();
        await running.end();
      }
      const overAt = nowMs();
      for (const each of processes) await each.end();
      const said = processes.map(({ steps }) => steps.join(' ')).join(' | ');
      // Who goes on with a move that is finishing does not know what it was
      const has = countOf((await this.#maps.read())!, request.from);
      tally.expect(committed !== undefined && has < had, `the slots are where they were: ${said}`);
      await this.#judge(processes, tally);
      return { ...tally.finding({ recoveryMs: overAt - diedAt }), words: said };
    } finally {
      for (const each of processes) await each.end();
    }
  }

  async #judge(processes: readonly OneProcess[], tally: Tally): Promise<void> {
    const map = (await this.#maps.read())!;
    tally.expect(map.moves.length === 0, 'the move is still in the map');
    const databases = await opened(this.#folders);
    try {
      const customers = Array.from({ length: this.#customers }, (_, n) => customerName(n));
      const ask = async (name: string, statement: string) =>
        (await databases[name as Name].query(statement)).rows;
      const servers = new Map(Object.entries(databases));
      await judge({ servers, customers, ask }, map, processes, tally);
      const backend = pgliteMoves({ shards: { one: { db: databases.one }, two: { db: databases.two } } });
      for (const name of names)
        tally.expect((await backend.leaks(name, [])).length === 0, `the move has left something at ${name}`);
      await this.#judgeDirect(
        processes.flatMap(({ letIn }) => letIn),
        map,
        ask,
        tally,
      );
    } finally {
      for (const db of Object.values(databases)) await db.close();
    }
  }

  /** Of the writes past the router none is gone, and the old shard let none in after the new one had. */
  async #judgeDirect(
    letIn: readonly LetIn[],
    map: ShardMap,
    ask: (name: string, statement: string) => Promise<unknown[]>,
    tally: Tally,
  ): Promise<void> {
    const found = new Map<string, number>();
    for (const name of names) {
      const rows = (await ask(name, 'SELECT id, direct::int FROM customer WHERE direct > 0')) as {
        id: string;
        direct: number;
      }[];
      for (const { id, direct } of rows) if (ownerOf(map, id) === name) found.set(id, direct);
    }
    for (const customer of new Set(letIn.map(each => each.customer))) {
      const its = letIn.filter(each => each.customer === customer);
      const there = its.filter(({ at }) => at === ownerOf(map, customer));
      const first = there.reduce((least, { endedAt }) => Math.min(least, endedAt), Infinity);
      const late = its.filter(({ at, begunAt }) => at !== ownerOf(map, customer) && begunAt > first);
      tally.twoPlaces += late.length;
      const missing = its.length - ((found.get(customer) ?? 0) - (this.#directs.get(customer) ?? 0));
      if (missing > 0) tally.lost += missing;
      tally.expect(
        missing <= 0,
        `${missing} of ${its.length} writes of ${customer} past the router are gone`,
      );
    }
    this.#directs = found;
  }

  /** What is to move, and how many slots its source has. */
  async #request() {
    const map = await this.#maps.read();
    const isFirst = map === undefined || countOf(map, 'one') >= slots / 2;
    const [from, to] = isFirst ? (['one', 'two'] as const) : (['two', 'one'] as const);
    const had = map === undefined ? slots / 2 : countOf(map, from);
    return { request: { kind: 'move', from, to, part: 0.5 } as const, had };
  }

  #settings(request: MoveRequest, process: number, dies: Death | undefined): Settings {
    const { url } = this.#store;
    return {
      folders: this.#folders,
      store: url,
      customers: this.#customers,
      writesPerSecond,
      process,
      request,
      dies,
    };
  }

  get #folders(): Settings['folders'] {
    return { one: join(this.#folder, 'one'), two: join(this.#folder, 'two') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
    await this.#store.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
