import { randomInt } from 'node:crypto';
import { describe, InvalidOptionError } from '@ashlar/core';
import { type ConsumeOptions, outcomeOf, type Rate } from '../../../driver.ts';
import { QueueTimeoutError } from '../../../errors.ts';
import { hashNumber } from '../../../transactions/tables/table-name.ts';
import type { Row, Sessions } from '../sessions.ts';
import type { Tables } from '../tables.ts';
import { ClaimFloors, type FoundFloors } from './claim-floors.ts';
import { claimFloors, giveBack, keyedClaim, plainClaim } from './claim-sql.ts';

export interface ClaimParts {
  readonly topic: string;
  readonly group: string;
  readonly tables: Tables;
  readonly sessions: Sessions;
  readonly leaseMs: number;
  readonly timeoutMs: number;
}

/** A message of a claim; of its body, the length. */
export type Taken = readonly [
  seq: string,
  id: string,
  lane: string,
  headers: string,
  deliveries: number,
  failures: number,
  bytes: number,
];

/** What one claim has taken, in the order in which it is to be handed out. */
export interface Claim {
  readonly token: number;
  readonly taken: readonly Taken[];
  /** All bodies, one after the other. */
  readonly bodies: Buffer;
}

const noBodies = Buffer.alloc(0);

/**
 * How often the positions are moved that a claim begins at, and after how many claims at most: one that takes rows, which
 * the next would walk over, counts as five, and ten rows as one more.
 */
const floorMs = 250;
const floorClaims = 50;
/** How often it is looked for what a lost claim has taken: it may still be on its way. */
const giveBackMs = 500;

/** What one consumer claims of a group. */
export class Claims {
  /** Whether there are keys that the last claim did not come to. */
  hasMore = false;
  readonly #parts: ClaimParts;
  readonly #options: ConsumeOptions;
  readonly #group: number;
  readonly #floors = new ClaimFloors();
  readonly #isKeyed: boolean;
  readonly #sql: Readonly<Record<'plain' | 'few' | 'all' | 'floors' | 'giveBack', string>>;
  #lane = '';
  #claims = 0;
  #flooredAt = 0;
  /** When more rows were ready than a claim of few takes. */
  #fullAt = -Infinity;
  /** Whether the next claim of all looks for messages without a key, and the last claim has. */
  #looksKeyless = false;
  #lookedKeyless = true;
  /** Tokens of claims that were not answered, and when that was. */
  readonly #lost = new Map<number, number>();
  #gaveBackAt = -Infinity;

  constructor(parts: ClaimParts, options: ConsumeOptions, group: number) {
    const { tables } = parts;
    const { ordered, fair, limits } = options;
    this.#parts = parts;
    this.#options = options;
    this.#group = group;
    this.#isKeyed =
      ordered === true || fair === true || Object.values(limits ?? {}).some(each => each != null);
    this.#sql = {
      plain: plainClaim(tables),
      few: keyedClaim(tables, 'few'),
      all: keyedClaim(tables, 'all'),
      floors: claimFloors(tables),
      giveBack: giveBack(tables),
    };
  }

  /** Milliseconds, at most, to the next claim that looks for all there is. */
  get restMs(): number {
    return this.#lookedKeyless ? Infinity : floorMs;
  }

  /** So many messages at most. */
  async claim(places: number): Promise<Claim> {
    await this.giveBackLost();
    // Of this claim alone, so that what it has taken is known by it, whatever becomes of the answer
    const token = randomInt(1, 2 ** 31);
    try {
      const row = await (this.#isKeyed ? this.#byKey(places, token) : this.#plain(places, token));
      const [taken, bodies] = read(row);
      if (taken.length > 0) this.#claims += 4 + taken.length / 10;
      if (this.#isKeyed) this.#turn(row, taken, taken.length < places);
      return { token, taken, bodies };
    } catch (error) {
      // Another server may be the primary now, which has had fewer transactions; not when the same is slow
      if (!(error instanceof QueueTimeoutError)) this.#floors.forget();
      if (outcomeOf(error) === 'Unknown') {
        this.#lost.set(token, performance.now());
        this.#gaveBackAt = -Infinity;
      }
      throw error;
    }
  }

  /** Gives back, uncharged, what claims have taken whose answers did not come: nobody has it in hands. */
  async giveBackLost(): Promise<void> {
    const now = performance.now();
    if (this.#lost.size === 0 || now < this.#gaveBackAt + giveBackMs) return;
    const { sessions, leaseMs } = this.#parts;
    await sessions.run('a return', 'Unknown', this.#sql.giveBack, [this.#group, [...this.#lost.keys()]]);
    this.#gaveBackAt = now;
    for (const [token, lostAt] of this.#lost) if (lostAt + leaseMs < now) this.#lost.delete(token);
  }

  async #plain(places: number, token: number): Promise<Row> {
    const { sessions, leaseMs, timeoutMs, topic, group } = this.#parts;
    await this.#moveFloors();
    const { ready, open } = this.#floors;
    const values = [this.#group, places, leaseMs, token, timeoutMs, ready, open, topic, group];
    const [row] = await sessions.run('a claim', 'Unknown', this.#sql.plain, values);
    return row!;
  }

  async #moveFloors(): Promise<void> {
    const now = performance.now();
    if (now < this.#flooredAt + floorMs && ++this.#claims < floorClaims) return;
    const values = [this.#group, ...this.#floors.known];
    const [row] = await this.#parts.sessions.run('a claim', 'NotExecuted', this.#sql.floors, values);
    this.#floors.learn(row as FoundFloors);
    this.#flooredAt = now;
    this.#claims = 0;
  }

  async #byKey(places: number, token: number): Promise<Row> {
    const { sessions, leaseMs, timeoutMs, tables, topic, group } = this.#parts;
    const { ordered = false, fair = false, limits = {} } = this.#options;
    await this.#moveFloors();
    const { ready, busy, open } = this.#floors;
    const lock = `SELECT pg_advisory_xact_lock(${hashNumber(`claim ${tables.prefix} ${this.#group}`)})`;
    const values = [
      this.#group,
      places,
      leaseMs,
      token,
      timeoutMs,
      this.#lane,
      ordered,
      fair,
      limits.keyConcurrency ?? null,
      ...bucketOf(limits.keyRate),
      ...bucketOf(limits.rate),
      topic,
      group,
      busy,
      open,
    ];
    const now = performance.now();
    // The claim must see all that the one before has committed, so it is a statement after the lock
    return sessions.transact(
      'a claim',
      async queryable => {
        this.#lookedKeyless = this.#looksKeyless;
        if (now >= this.#fullAt + floorMs) {
          this.#lookedKeyless = true;
          const { rows } = await queryable.query(this.#sql.few, [...values, ready]);
          if (rows[0]!['full'] !== true) return rows[0]!;
          this.#fullAt = now;
        }
        return (await queryable.query(this.#sql.all, [...values, this.#lookedKeyless])).rows[0]!;
      },
      lock,
    );
  }

  /**
   * The next claim begins behind the key that this one came to, and looks for messages without a key if this one has found
   * some. Else one in `floorMs` does: the way to them is over all that is ready.
   */
  #turn({ last, more }: Row, taken: readonly Taken[], hasRoom: boolean): void {
    const from = this.#lane;
    this.#lane = this.#options.fair && last !== null ? last : hasRoom ? (more ?? '') : '';
    this.hasMore = from !== this.#lane;
    this.#looksKeyless = taken.some(([, , lane]) => lane === '');
  }
}

/** @throws InvalidOptionError where something between has made something else of it */
function read({ taken, bodies }: Row): [taken: readonly Taken[], bodies: Buffer] {
  if (taken === null) return [[], noBodies];
  if (typeof taken === 'string' && Buffer.isBuffer(bodies)) return [JSON.parse(taken), bodies];
  const found = `a text and a bytea as ${describe(taken)} and ${describe(bodies)}`;
  throw new InvalidOptionError('pool', `what is claimed cannot be read, as \`pool\` returns ${found}`);
}

function bucketOf(rate: Rate | undefined): [intervalMs: number | null, burstMs: number | null] {
  if (rate === undefined) return [null, null];
  const intervalMs = rate.perMs / rate.count;
  return [intervalMs, rate.perMs - intervalMs];
}
