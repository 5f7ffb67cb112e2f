import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import {
  type ConsumeOptions,
  type Delivery,
  type Driver,
  type GroupStats,
  type Job,
  type OutgoingMessage,
  outcomeOf,
  type Published,
  type PublishSettings,
  refusal,
} from '../driver.ts';
import { InvalidPayloadError, QueueClosedError } from '../errors.ts';
import { Bell } from '../transactions/bell.ts';
import { checkShapes, shapeQuery } from '../transactions/tables/table-shape.ts';
import { isDataFault, textFault } from '../transactions/texts.ts';
import { transactionOf } from '../transactions/transaction.ts';
import { ClaimWatch } from './postgres/claiming/claim-watch.ts';
import { consume } from './postgres/consumer.ts';
import { Jobs } from './postgres/jobs.ts';
import {
  capabilities,
  checkRoom,
  type PostgresCapabilities,
  type PostgresDriverOptions,
  readSettings,
  type Settings,
} from './postgres/options.ts';
import { isSingle, Publishing } from './postgres/publish.ts';
import { ServerSafety } from './postgres/server-safety.ts';
import { type Queryable, Sessions } from './postgres/sessions.ts';
import { Settler } from './postgres/settling/settler.ts';
import { creation, expectedTables, type Tables, tablesRule, wholeness } from './postgres/tables.ts';

export type { PoolClientLike, PoolLike } from '../transactions/pool.ts';
export type { ColumnTypes } from '../transactions/tables/column-types.ts';
export type { PostgresCapabilities, PostgresDriverOptions } from './postgres/options.ts';

export interface PostgresDriver extends Driver<PostgresCapabilities> {
  /**
   * Creates the tables, or what is missing of them or of those of an earlier version, in one transaction. May be called
   * again, and by many at once.
   *
   * @throws TableShapeError
   */
  migrate(): Promise<void>;
}

/**
 * Messages in tables of PostgreSQL 13 or later, shared by the processes that reach the same primary. What was confirmed
 * outlives a crash of the server; a failover to an asynchronous standby may lose what was confirmed last. Time is the
 * server's clock.
 *
 * @throws InvalidOptionError
 */
export function postgresDriver(options: PostgresDriverOptions): PostgresDriver {
  return new TableDriver(readSettings(options));
}

/** The SQL that `migrate` runs, for migrations kept elsewhere. Default: for `ashlar_queue`. @throws InvalidOptionError */
export function postgresQueueTables(prefix?: string): string {
  return creation(tablesRule(prefix, 'prefix'));
}

class TableDriver implements PostgresDriver {
  readonly kind = 'postgres';
  readonly capabilities: PostgresCapabilities = capabilities;
  readonly leaseMs: number;
  readonly #settings: Settings;
  readonly #tables: Tables;
  readonly #sessions: Sessions;
  readonly #listeners: Sessions;
  readonly #publishing: Publishing;
  readonly #settler: Settler;
  readonly #bell: Bell;
  readonly #safety: ServerSafety;
  readonly #watch: ClaimWatch;
  readonly #jobs: Jobs;
  readonly #closing = new AbortController();

  constructor(settings: Settings) {
    const { pool, listenPool, prefix: tables, leaseMs, timeoutMs, prepare } = settings;
    const { deduplicationMs, durability } = settings;
    this.#settings = settings;
    this.#tables = tables;
    this.leaseMs = leaseMs;
    this.#sessions = new Sessions({ pool, timeoutMs, prepare });
    this.#publishing = new Publishing(tables, deduplicationMs);
    this.#settler = new Settler(this.#sessions, tables);
    this.#listeners = listenPool === pool ? this.#sessions : new Sessions({ ...settings, pool: listenPool });
    this.#bell = new Bell({
      driver: this.kind,
      channel: tables.channel,
      restMs: 5,
      pool: listenPool,
      borrow: () => this.#listeners.borrow(),
      send: (text, values) => this.#sessions.run('a notification', 'Unknown', text, values),
    });
    this.#safety = new ServerSafety(this.#sessions, durability === 'synchronous');
    this.#watch = new ClaimWatch(this.#sessions);
    this.#jobs = new Jobs(tables, this.#sessions, this.#bell);
  }

  async migrate(): Promise<void> {
    const [row] = await this.#sessions.run('migrate', 'NotExecuted', wholeness(this.#tables));
    if (row?.['whole'] === true) return this.#checkTables();
    await this.#sessions
      .transact('migrate', async () => {}, creation(this.#tables))
      .catch(async error => {
        await this.#checkTables();
        throw error;
      });
    await this.#checkTables();
  }

  /** @throws TableShapeError for a table of one of our names that is another's */
  async #checkTables(): Promise<void> {
    const expected = expectedTables(this.#tables);
    const [row] = await this.#sessions.run('migrate', 'NotExecuted', shapeQuery(expected));
    checkShapes(expected, row!['shapes']);
  }

  async declare(topic: string, group: string): Promise<void> {
    await this.#safety.pass();
    const { groups } = this.#tables;
    const found = await this.#jobs.findGroup(topic, group);
    if (found !== undefined) return;
    const text = `INSERT INTO ${groups} (topic, name) VALUES ($1::text, $2::text) ON CONFLICT DO NOTHING`;
    await this.#sessions.run('a declaration', 'Unknown', text, [topic, group]);
  }

  async publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    settings: PublishSettings = {},
  ): Promise<readonly Published[]> {
    const isSound = (message: OutgoingMessage) => faultOf(topic, message) === undefined;
    if (batch.every(isSound)) return this.#publish(topic, batch, settings);
    const faults = batch.map(message => faultOf(topic, message));
    const published = [...(await this.#publish(topic, batch.filter(isSound), settings))];
    return faults.map(fault => (fault === undefined ? published.shift()! : refusal(fault)));
  }

  async #publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    settings: PublishSettings,
  ): Promise<readonly Published[]> {
    const { allowUnrouted = false, tx } = settings;
    const { timeoutMs } = this.#settings;
    if (batch.length === 0) return [];
    try {
      await this.#safety.pass();
      const work = (queryable: Queryable) => this.#publishing.publish(queryable, topic, batch, allowUnrouted);
      // Nobody says when it commits: then the poll of the consumers finds it
      if (tx !== undefined) return await work((await transactionOf(tx, timeoutMs)) as Queryable);
      const published = isSingle(batch)
        ? await this.#sessions.single('a publish', 'Unknown', work)
        : await this.#sessions.transact('a publish', work);
      this.#bell.ring(topic, batch.length);
      return published;
    } catch (error) {
      if (!isDataFault(error)) {
        // Whatever became of a statement of the caller's transaction, it is undone with that
        const outcome = tx === undefined ? outcomeOf(error) : 'NotExecuted';
        return batch.map(() => ({ ok: false, outcome, error: error as Error }));
      }
      if (tx === undefined && batch.length > 1) {
        // One of them is at fault
        const half = Math.ceil(batch.length / 2);
        const first = await this.#publish(topic, batch.slice(0, half), settings);
        return [...first, ...(await this.#publish(topic, batch.slice(half), settings))];
      }
      const invalid = new InvalidPayloadError(topic, [(error as Error).message], { cause: error });
      return batch.map(() => refusal(invalid));
    }
  }

  consume(topic: string, group: string, options: ConsumeOptions): AsyncIterable<Delivery> {
    if (this.#closing.signal.aborted) throw new QueueClosedError('the postgres driver');
    checkRoom(this.#settings, this.#bell.isListening);
    this.#bell.reserve();
    const parts = {
      ...this.#settings,
      topic,
      group,
      tables: this.#tables,
      sessions: this.#sessions,
      settler: this.#settler,
      bell: this.#bell,
      closing: this.#closing.signal,
      number: () => this.#jobs.number(topic, group),
      claimed: () => this.#watch.claimed(),
    };
    return consume(parts, options);
  }

  inspect(topic: string, group: string, page: DeadLetterPage): Promise<readonly DeadLetter[]> {
    return this.#jobs.inspect(topic, group, page);
  }

  redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#jobs.redrive(topic, group, selection);
  }

  purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#jobs.purge(topic, group, selection);
  }

  stats(topic: string, group: string): Promise<GroupStats> {
    return this.#jobs.stats(topic, group);
  }

  async probe(topic: string, group: string): Promise<void> {
    await this.#jobs.number(topic, group);
  }

  pause(topic: string, group: string): Promise<void> {
    return this.#jobs.pause(topic, group);
  }

  resume(topic: string, group: string): Promise<void> {
    return this.#jobs.resume(topic, group);
  }

  find(topic: string, group: string, id: string): Promise<Job | undefined> {
    return this.#jobs.find(topic, group, id);
  }

  cancel(topic: string, group: string, id: string): Promise<boolean> {
    return this.#jobs.cancel(topic, group, id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new QueueClosedError('the postgres driver'));
    await this.#bell.close();
    this.#sessions.close();
    this.#listeners.close();
  }
}

/** Bytes of a body: it travels as text of up to twice its size, of which the server takes 1 GB. */
const maxBodyBytes = 64 * 2 ** 20;

function faultOf(topic: string, message: OutgoingMessage): Error | undefined {
  const { byteLength } = message.body;
  if (byteLength <= maxBodyBytes) return textFault(message);
  return new InvalidPayloadError(topic, [`it has ${byteLength} bytes, and may have ${maxBodyBytes}`]);
}
