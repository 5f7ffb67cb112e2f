import { type Clock, InvalidOptionError, type Random } from '@ashlar/core';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import type {
  Capabilities,
  ConsumeOptions,
  Delivery,
  Driver,
  GroupStats,
  OutgoingMessage,
  Published,
  PublishSettings,
} from '../driver.ts';
import { QueueClosedError, UnsupportedError } from '../errors.ts';
import { Bell } from '../transactions/bell.ts';
import { asked } from '../transactions/failures.ts';
import { guardConnections, ignore, keptOf, type PoolLike, runOne, transact } from '../transactions/pool.ts';
import { existence, hashNumber, type TableName } from '../transactions/tables/table-name.ts';
import { checkShapes, shapeQuery } from '../transactions/tables/table-shape.ts';
import { textFault } from '../transactions/texts.ts';
import { transactionOf } from '../transactions/transaction.ts';
import type { WrittenRow } from './expected-rows.ts';
import { Monitor, type OutboxLag } from './monitor.ts';
import { Quarantine } from './quarantine.ts';
import { Relay, type RelaySettings } from './relay.ts';
import { creation, expectedTable, insert } from './table.ts';

export interface OutboxSettings extends RelaySettings {
  readonly pool: PoolLike;
  readonly listenPool: PoolLike | undefined;
  readonly table: TableName;
  readonly group: string;
  readonly relay: boolean;
  readonly prepare: boolean;
  readonly drainMs: number;
  readonly longTransactionMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

export interface OutboxSnapshot {
  readonly table: string;
  readonly state: 'relaying' | 'failing' | 'off' | 'closed';
  /** Messages since the start: confirmed by the driver, dropped as their time was over, refused, and put aside for good. */
  readonly relayed: number;
  readonly expired: number;
  readonly failed: number;
  readonly quarantined: number;
  /** As last measured, every 10 s; undefined before and without `relay`. */
  readonly lag: OutboxLag | undefined;
  /** Why nothing is relayed at present. */
  readonly error: string | undefined;
}

/** A relay needs connections to work on, and leaves one to others. */
const roomToListen = 4;
/** Milliseconds between notifications of what was written: a relay that was told looks often for a while. */
const ringMs = 25;
/** Milliseconds between measurements of the lag. */
const measureMs = 10_000;

/** A driver whose messages may be published within a transaction: they wait in a table, and a relay hands them on. */
export class OutboxDriver<K extends Capabilities> implements Driver<K & { readonly transactions: true }> {
  readonly kind: string;
  readonly capabilities: K & { readonly transactions: true };
  readonly leaseMs?: number;
  readonly #driver: Driver<K>;
  readonly #settings: OutboxSettings;
  readonly #relay: Relay;
  readonly #monitor: Monitor;
  readonly #quarantine: Quarantine;
  readonly #bell: Bell;
  #hasWritten = false;
  #made: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  declare readonly probe?: NonNullable<Driver['probe']>;
  declare readonly pause?: NonNullable<Driver['pause']>;
  declare readonly resume?: NonNullable<Driver['resume']>;
  declare readonly find?: NonNullable<Driver['find']>;
  declare readonly cancel?: NonNullable<Driver['cancel']>;

  constructor(driver: Driver<K>, settings: OutboxSettings) {
    this.#driver = driver;
    this.#settings = settings;
    this.kind = `${driver.kind ?? 'custom'} with an outbox`;
    this.capabilities = { ...driver.capabilities, transactions: true };
    if (driver.leaseMs !== undefined) this.leaseMs = driver.leaseMs;
    for (const name of ['probe', 'pause', 'resume', 'find', 'cancel'] as const) {
      const method = driver[name];
      if (method !== undefined) Object.assign(this, { [name]: method.bind(driver) });
    }
    const { pool, table, group, timeoutMs, clock, random, longTransactionMs: longMs } = settings;
    const ready = () => this.migrate();
    this.#relay = new Relay({ pool, table, driver, settings, clock, random, ready });
    const kind = this.kind;
    const lowestId = () => this.#relay.lowestId;
    const everyMs = measureMs;
    this.#monitor = new Monitor({ pool, table, kind, timeoutMs, everyMs, longMs, clock, ready, lowestId });
    this.#quarantine = new Quarantine({ pool, table, group, timeoutMs });
    const listenPool = settings.listenPool ?? pool;
    this.#bell = new Bell({
      driver: kind,
      channel: `ashlar_outbox_${hashNumber(`outbox ${table.name}`)}`.replace('-', '_'),
      restMs: ringMs,
      pool: listenPool,
      borrow: () => {
        guardConnections(listenPool);
        return listenPool.connect();
      },
      send: (text, values) => runOne(pool, timeoutMs, text, values),
    });
    // An idle connection that breaks would otherwise end the process
    for (const each of new Set([pool, listenPool])) each.on?.('error', ignore);
    if (!settings.relay) return;
    this.#relay.start();
    this.#monitor.start();
    const { max = roomToListen } = listenPool.options ?? {};
    if (listenPool !== pool || max >= roomToListen + keptOf(pool))
      this.#bell.listen('', () => this.#relay.wake());
  }

  /**
   * Makes the table where it is missing, in a transaction of its own. May be called again, and by many at once.
   *
   * @throws QueueUnavailableError, TableShapeError
   */
  migrate(): Promise<void> {
    const { pool, table, timeoutMs } = this.#settings;
    if (this.#made !== undefined) return this.#made;
    const made = transact(pool, { timeoutMs }, async session => {
      const [found] = await session.query<{ there: string }>(existence(table));
      if (found?.there !== 'true') await session.query(creation(table));
      const expected = [expectedTable(table)];
      const [row] = await session.query<{ shapes: string }>(shapeQuery(expected));
      checkShapes(expected, row!.shapes);
    });
    this.#made = asked('migrate', 'Unknown', made).catch(error => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  /**
   * Looks for rows at once, and often for a while; without `relay`, those that relay do. After a commit in a process without
   * this driver, for example. Without it, within `pollMs`.
   */
  wake(): void {
    if (this.#settings.relay) this.#relay.wake();
    else this.#bell.ring('');
  }

  /** How far behind the outbox is, measured now. */
  lag(): Promise<OutboxLag> {
    return this.#monitor.measure();
  }

  snapshot(): OutboxSnapshot {
    const { relay, table } = this.#settings;
    const { counts, error } = this.#relay;
    const working = error === undefined ? 'relaying' : 'failing';
    const open = relay ? working : 'off';
    return {
      table: table.name,
      state: this.#closing === undefined ? open : 'closed',
      ...counts,
      lag: this.#monitor.last,
      error: error === undefined ? undefined : String(error),
    };
  }

  async declare(topic: string, group: string): Promise<void> {
    if (group === this.#settings.group) {
      const text = `\`${group}\` names the outbox's own dead letters; choose another group, or the option \`group\` of outbox`;
      throw new InvalidOptionError('group', text);
    }
    await Promise.all([this.migrate(), this.#driver.declare(topic, group)]);
  }

  async publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    settings: PublishSettings = {},
  ): Promise<readonly Published[]> {
    const { tx, ...rest } = settings;
    if (tx === undefined) return this.#driver.publish(topic, batch, rest);
    if (this.#closing !== undefined) throw new QueueClosedError(this.kind);
    const { prepare, table, timeoutMs } = this.#settings;
    let written: readonly WrittenRow[];
    try {
      const fault = batch.map(textFault).find(each => each !== undefined);
      if (fault !== undefined) throw fault;
      written = await insert(await transactionOf(tx, timeoutMs), table, topic, batch, { ...rest, prepare });
    } catch (error) {
      // Whatever became of the statement, it is undone with the transaction
      return batch.map(() => ({ ok: false, outcome: 'NotExecuted', error: error as Error }));
    }
    this.#hasWritten = true;
    if (this.#settings.relay) this.#relay.wake(topic, written);
    else this.#bell.ring('');
    return batch.map(() => ({ ok: true }));
  }

  consume(topic: string, group: string, options: ConsumeOptions): AsyncIterable<Delivery> {
    return this.#driver.consume(topic, group, options);
  }

  inspect(topic: string, group: string, page: DeadLetterPage): Promise<readonly DeadLetter[]> {
    return this.#isOwn(group)
      ? this.#quarantine.inspect(topic, page)
      : this.#has('inspect')(topic, group, page);
  }

  redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    if (!this.#isOwn(group)) return this.#has('redrive')(topic, group, selection);
    return this.#quarantine.redrive(topic, selection).finally(() => this.wake());
  }

  purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#isOwn(group)
      ? this.#quarantine.purge(topic, selection)
      : this.#has('purge')(topic, group, selection);
  }

  stats(topic: string, group: string): Promise<GroupStats> {
    return this.#isOwn(group) ? this.#quarantine.stats(topic) : this.#has('stats')(topic, group);
  }

  /** Relays what is committed, as long as `drainMs`, then closes the driver. The pool stays open: it is yours. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= (async () => {
      // What it wrote is committed by now, and may not have been when it was told of
      if (this.#hasWritten) this.wake();
      await Promise.all([
        this.#relay.close(this.#settings.drainMs),
        this.#monitor.close(),
        this.#bell.close(),
      ]);
      const { pool, listenPool } = this.#settings;
      for (const each of [pool, listenPool]) each?.removeListener?.('error', ignore);
      await this.#driver[Symbol.asyncDispose]();
    })();
    return this.#closing;
  }

  #isOwn(group: string): boolean {
    return group === this.#settings.group;
  }

  #has<M extends 'inspect' | 'redrive' | 'purge' | 'stats'>(method: M): NonNullable<Driver[M]> {
    const found = this.#driver[method];
    if (found === undefined)
      throw new UnsupportedError(method, this.#driver.kind ?? 'custom', 'dead letters');
    return found.bind(this.#driver) as NonNullable<Driver[M]>;
  }
}
