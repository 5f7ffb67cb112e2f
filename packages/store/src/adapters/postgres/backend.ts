import type { CallOutcome } from '@ashlar/core';
import type { Backend, ChangeListener, Page } from '../../backend.ts';
import { Warnings } from '../../diagnostics.ts';
import { VersionConflictError } from '../../errors.ts';
import { checkAhead, maxAheadUs } from '../../limits.ts';
import type { Claim, Entry, Version } from '../../store.ts';
import { versionSource } from '../../versions.ts';
import { ChangeFeed, Notifier } from './change-feed.ts';
import { Connections, type ConnectionsOptions } from './connections.ts';
import { keepConnection, type PoolLike } from './pool-like.ts';
import { ServerCheck, serverQuery } from './server-check.ts';
import { bytesOf, comparable, endOf, entryOf, textOf } from './sql-text.ts';
import { type Statement, type Statements, statementsFor, type WriteRow } from './statements.ts';
import { creation, type Table } from './table.ts';
import { isWhole, shapeOf } from './table-shape.ts';

export interface PostgresBackendOptions extends ConnectionsOptions {
  readonly table: Table;
  readonly durability: 'linearizable' | 'asynchronous';
  /** Where watches listen. */
  readonly watchPool: PoolLike;
  /** Milliseconds of use after which the server is checked again. */
  readonly checkAgainMs?: number;
}

const pageKeys = 1_000;
const pageBytes = 2 ** 20;

/** The time between two sweeps of a store that does not watch. */
const sweepEveryMs = 60_000;

/** The most attempts at a conditional write whose condition came true while it ran. */
const attempts = 10;

/** Values and claims in one table of PostgreSQL. */
export class PostgresBackend implements Backend {
  readonly kind = 'postgres';
  readonly durability: 'linearizable' | 'asynchronous';
  readonly batchKeys = 1_000;
  readonly window = 1;
  readonly #table: Table;
  readonly #statements: Statements;
  readonly #warnings: Warnings;
  readonly #connections: Connections;
  readonly #check: ServerCheck;
  readonly #watchConnections: Connections;
  readonly #nextVersion = versionSource();
  readonly #watcher = Buffer.from(crypto.randomUUID());
  readonly #notifier = new Notifier(() => this.#run('watch', 'Unknown', this.#statements.notify, []));
  readonly #watchPool: PoolLike;
  readonly #isSharedPool: boolean;
  #feed: ChangeFeed | undefined;
  #sweptAt = performance.now();

  constructor({ table, durability, watchPool, checkAgainMs, ...options }: PostgresBackendOptions) {
    this.durability = durability;
    this.#table = table;
    this.#statements = statementsFor(table, durability);
    this.#warnings = new Warnings(options.store);
    this.#watchPool = watchPool;
    this.#isSharedPool = watchPool === options.pool;
    this.#connections = new Connections(options);
    this.#check = new ServerCheck(this.#connections, {
      store: options.store,
      table,
      durability,
      checkAgainMs,
    });
    this.#watchConnections = this.#isSharedPool
      ? this.#connections
      : new Connections({ ...options, pool: watchPool });
  }

  get connected(): boolean {
    return this.#connections.connected;
  }

  /** Leaves a whole table alone, which takes no privilege to create one. @throws TableShapeError */
  async migrate(): Promise<void> {
    if (await this.#hasWholeTable()) return;
    await this.#connections.script('migrate', creation(this.#table));
    await this.#hasWholeTable();
  }

  async read(keys: readonly string[]): Promise<readonly (Entry | undefined)[]> {
    if (keys.length === 1) return [await this.#readOne(keys[0]!)];
    const rows = await this.#run('getMany', 'NotExecuted', this.#statements.readAll, [keys.map(bytesOf)]);
    const found: (Entry | undefined)[] = new Array(keys.length).fill(undefined);
    for (const row of rows) {
      const at = Number(row.at) - 1;
      found[at] = entryOf(keys[at]!, row);
    }
    return found;
  }

  async write(
    key: string,
    value: Uint8Array,
    ttlMs: number | undefined,
    ifVersion: Version | undefined,
  ): Promise<Version> {
    const version = this.#nextVersion();
    const values: unknown[] = [bytesOf(key), Buffer.from(value), version, ttlMs ?? null];
    if (ifVersion === undefined) {
      this.#wrote(await this.#run('set', 'Unknown', this.#statements.write, values));
    } else {
      const { create, replace } = this.#statements;
      const [statement, more] = ifVersion === 'absent' ? [create, []] : [replace, [comparable(ifVersion)]];
      await this.#writeIf(key, statement, [...values, ...more], ifVersion);
    }
    if (ttlMs !== undefined) this.#sweepSometimes();
    return version;
  }

  async writeAll(
    entries: readonly (readonly [string, Uint8Array])[],
    ttlMs: number | undefined,
  ): Promise<void> {
    const last = new Map(entries);
    const values = [
      [...last.keys()].map(bytesOf),
      [...last.values()].map(value => Buffer.from(value)),
      Array.from(last, () => this.#nextVersion()),
      ttlMs ?? null,
    ];
    this.#wrote(await this.#run('setMany', 'Unknown', this.#statements.writeAll, values));
    if (ttlMs !== undefined) this.#sweepSometimes();
  }

  async remove(key: string, ifVersion: Version | undefined): Promise<boolean> {
    const rows = await this.#run('delete', 'Unknown', this.#statements.remove, [
      bytesOf(key),
      ifVersion === undefined ? null : comparable(ifVersion),
    ]);
    this.#wrote(rows);
    this.#sweepSometimes();
    return rows.length > 0;
  }

  async page(prefix: string, after: string | undefined): Promise<Page> {
    const first = after === undefined ? bytesOf(prefix) : bytesOf(`${after}\0`);
    const values = [first, endOf(prefix), pageKeys, pageBytes];
    const rows = await this.#run('list', 'NotExecuted', this.#statements.page, values);
    const entries = rows.map(row => entryOf(textOf(row.key), row));
    const bytes = entries.reduce((sum, { value }) => sum + value.byteLength, 0);
    const isLast = entries.length < pageKeys && bytes < pageBytes;
    return { entries, next: isLast ? undefined : entries.at(-1)?.key };
  }

  async claim(
    name: string,
    holder: string,
    ttlMs: number,
    above: bigint | undefined,
  ): Promise<Claim | undefined> {
    const values = [bytesOf(name), bytesOf(holder), ttlMs, String(above ?? 0n), String(maxAheadUs)];
    const [row] = await this.#run('claim', 'Unknown', this.#statements.claim, values);
    const { token, remaining, now } = row!;
    if (token !== null) return { token: BigInt(token), remainingMs: Math.max(0, Number(remaining)) };
    checkAhead(above, BigInt(now));
    return undefined;
  }

  async release(name: string, token: bigint): Promise<boolean> {
    const values = [bytesOf(name), String(token)];
    const rows = await this.#run('release', 'Unknown', this.#statements.release, values);
    this.#sweepSometimes();
    return rows.length > 0;
  }

  /** @throws InvalidOptionError when the pool has no connection left for it */
  listen(listener: ChangeListener): () => void {
    const giveBack = keepConnection(this.#watchPool, this.#isSharedPool);
    const feed = new ChangeFeed({
      connections: this.#watchConnections,
      statements: this.#statements,
      channel: this.#table.channel,
      watcher: this.#watcher,
      listener,
      notifier: this.#notifier,
      forbidden: reason =>
        this.#warnings.publish(
          `PostgreSQL does not let a watch do all that it should, so it may list again every few seconds: ${reason}`,
        ),
    });
    this.#feed = feed;
    return () => {
      feed.stop();
      giveBack();
      if (this.#feed === feed) this.#feed = undefined;
    };
  }

  async close(): Promise<void> {
    this.#feed?.stop();
    this.#connections.close();
    this.#watchConnections.close();
  }

  async #hasWholeTable(): Promise<boolean> {
    const rows = await this.#connections.run('migrate', 'NotExecuted', serverQuery(this.#table), []);
    return rows.every(({ shape }) => isWhole(this.#table, shapeOf(this.#table, shape)));
  }

  async #readOne(key: string): Promise<Entry | undefined> {
    const [row] = await this.#run('get', 'NotExecuted', this.#statements.read, [bytesOf(key)]);
    return row && entryOf(key, row);
  }

  #wrote([row]: readonly WriteRow[]): void {
    if (row !== undefined && row.watched !== null) this.#notifier.notify();
  }

  /** Sent after the server was checked, after a watch that has just begun listens, and after lost sessions have ended. */
  async #run<R>(
    operation: string,
    onLoss: CallOutcome,
    statement: Statement<R>,
    values: unknown[],
  ): Promise<readonly R[]> {
    const isReady = this.#check.isPassed() && this.#feed?.isTried !== false && !this.#connections.lost.some;
    const before = isReady ? undefined : () => this.#prepare();
    try {
      return await this.#connections.run(operation, onLoss, statement, values, before);
    } catch (error) {
      if (!this.connected) this.#check.forget();
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    await Promise.all([this.#check.pass(), this.#feed?.tried]);
    const { endSessions } = this.#statements;
    await this.#connections.lost.endAll(
      sessions => this.#connections.run('end of a lost session', 'NotExecuted', endSessions, sessions),
      reason =>
        this.#warnings.publish(
          `the store may not end sessions whose answer was lost, so a write in one may come after a later one: ${reason}`,
        ),
    );
  }

  /** The condition holds at the moment of the write; `found` is of the beginning of the statement. */
  async #writeIf(
    key: string,
    statement: Statements['create'],
    values: unknown[],
    expected: Version,
  ): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const [row] = await this.#run('set', 'Unknown', statement, values);
      if (row?.written != null) return this.#wrote([row]);
      const found = row?.found ?? 'absent';
      if (found !== expected || attempt === attempts) throw new VersionConflictError(key, expected, found);
    }
  }

  /** A store that watches sweeps all the time; any other now and then, after a write that makes it necessary. */
  #sweepSometimes(): void {
    const now = performance.now();
    if (now - this.#sweptAt < sweepEveryMs) return;
    this.#sweptAt = now;
    this.#run('sweep', 'Unknown', this.#statements.sweep, []).catch(() => {});
  }
}
