import type { Executor } from '@ashlar/replica-failover/executor';
import { execute, isQueryClient } from '../clients/client.ts';
import type { Row } from '../columns/column.ts';
import { Table } from '../tables/table-of.ts';
import { type Head, type ReferenceChange, statementsOf, wholeOf } from './changes.ts';
import type { ReferenceRepair } from './reference.ts';

/** Which version of which reference table a shard has. */
const versions = new Table(
  'ashlar_shards.reference',
  { key: ['name'], primaryKey: ['name'], columns: { name: 'text', version: 'int8' } },
  'text',
);

const creation = [
  'CREATE SCHEMA IF NOT EXISTS ashlar_shards',
  'CREATE TABLE IF NOT EXISTS ashlar_shards.reference (name text PRIMARY KEY, version int8 NOT NULL)',
];

/** Rows that are sent at once. */
const batch = 500;

/** Thrown in a transaction, so that it is rolled back. */
class Undone extends Error {}

/** All rows of a table on one shard, and their version. */
interface Snapshot {
  readonly version: number;
  readonly rows: readonly Row[];
}

/** The copy of a reference table on one shard. */
export class Copy<C> {
  readonly shard: string;
  readonly #table: Table;
  readonly #executor: Executor<C>;
  #isReady = false;

  constructor(shard: string, table: Table, executor: Executor<C>) {
    this.shard = shard;
    this.#table = table;
    this.#executor = executor;
  }

  /** The version that a client sees; 0 where there was no write yet. */
  async versionOf(client: C): Promise<number> {
    const { rows } = await execute(client, {
      kind: 'select',
      table: versions,
      columns: ['version'],
      where: [{ column: 'name', op: '=', value: this.#table.name }],
      orderBy: [],
      limit: undefined,
    });
    return Number(rows[0]?.['version'] ?? 0);
  }

  /** Makes what it needs, once. */
  async ready(): Promise<void> {
    if (this.#isReady) return;
    await this.#executor.write(async client => {
      if (isQueryClient(client)) {
        const { rows } = await client.query(
          "SELECT to_regclass('ashlar_shards.reference') IS NOT NULL AS found",
        );
        // Two sessions at once may both create, and one fail
        if (!rows[0].found)
          for (const text of creation) await client.query(text).catch(() => client.query(text));
      }
      await execute(client, {
        kind: 'insert',
        table: versions,
        rows: [{ name: this.#table.name, version: 0n }],
        onConflict: 'nothing',
      });
    });
    this.#isReady = true;
  }

  /** Whether the change can be done here, which is then undone. @throws what the database has against it; `false` when it has another version */
  async tries(version: number, change: ReferenceChange): Promise<{ readonly count: number } | undefined> {
    let count = 0;
    let isSame = false;
    const undone = new Undone();
    await this.#executor
      .transaction(async client => {
        isSame = (await this.versionOf(client)) === version;
        count = isSame ? await this.#do(client, change) : 0;
        throw undone;
      })
      .catch(error => {
        if (error !== undone) throw error;
      });
    return isSame ? { count } : undefined;
  }

  /** Does the head's change, if that is the next. Returns the version that it has then. */
  async follow({ version, change }: Head): Promise<number> {
    await this.ready();
    return this.#executor.transaction(async client => {
      if (!(await this.#advance(client, version - 1, version))) return this.versionOf(client);
      await this.#do(client, change);
      return version;
    });
  }

  async snapshot(): Promise<Snapshot> {
    const read = async (client: C) => {
      const version = await this.versionOf(client);
      return { version, rows: (await execute(client, wholeOf(this.#table))).rows };
    };
    return this.#executor.transaction(read, { isolation: 'repeatable read' });
  }

  /** Makes this copy equal to another that is not older. */
  async equal(other: Snapshot): Promise<ReferenceRepair | undefined> {
    await this.ready();
    const table = this.#table;
    return this.#executor.transaction(async client => {
      // Its own version first: the row is locked from then on
      const own = await this.versionOf(client);
      if (own > other.version || !(await this.#advance(client, own, other.version))) return undefined;
      const { rows } = await execute(client, wholeOf(table));
      const there = new Map(rows.map(row => [table.identity(row), row]));
      const wanted = new Map(other.rows.map(row => [table.identity(row), row]));
      const added = [...wanted].filter(([id]) => !there.has(id)).map(([, row]) => row);
      const changed = [...wanted].filter(([id, row]) => there.has(id) && !isSame(table, row, there.get(id)!));
      const removed = [...there].filter(([id]) => !wanted.has(id)).map(([, row]) => row);
      // Other unique values may go from one row to another
      await this.#do(client, { kind: 'delete', rows: removed });
      const written = [...changed.map(([, row]) => row), ...added];
      for (let at = 0; at < written.length; at += batch)
        await this.#do(client, { kind: 'upsert', rows: written.slice(at, at + batch) });
      const { version } = other;
      return {
        shard: this.shard,
        version,
        added: added.length,
        changed: changed.length,
        removed: removed.length,
      };
    });
  }

  async #advance(client: C, from: number, to: number): Promise<boolean> {
    const { count } = await execute(client, {
      kind: 'update',
      table: versions,
      set: { version: BigInt(to) },
      where: [
        { column: 'name', op: '=', value: this.#table.name },
        { column: 'version', op: '=', value: BigInt(from) },
      ],
    });
    return count === 1;
  }

  async #do(client: C, change: ReferenceChange): Promise<number> {
    let count = 0;
    for (const statement of statementsOf(this.#table, change))
      count += (await execute(client, statement)).count;
    return count;
  }
}

function isSame(table: Table, a: Row, b: Row): boolean {
  return table.columns.every(column => {
    const [left, right] = [a[column], b[column]];
    if (left === null || right === null) return left === right;
    const { toText } = table.type(column);
    return toText(left) === toText(right);
  });
}
