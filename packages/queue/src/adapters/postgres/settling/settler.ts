import type { NackOptions } from '../../../driver.ts';
import { DeliveryLostError } from '../../../errors.ts';
import { isDataFault } from '../../../transactions/texts.ts';
import type { Sessions } from '../sessions.ts';
import type { Tables } from '../tables.ts';
import { type SettleSql, settleSql } from './settle-sql.ts';

/** A message as it was claimed. */
export interface Claimed {
  readonly seq: string;
  readonly token: number;
  readonly id: string;
}

/** Deliveries that are settled together. */
interface Batch {
  readonly all: Claimed[];
  /** Number and token of those that were not there. */
  readonly lost: Promise<ReadonlySet<string>>;
}

/** The most deliveries that one statement settles. */
const batchSize = 500;

const none: ReadonlySet<string> = new Set();

/** Settles deliveries. What is acknowledged or extended in one turn of the event loop goes together. */
export class Settler {
  readonly #sessions: Sessions;
  readonly #sql: SettleSql;
  #acks: Batch | undefined;
  readonly #extensions = new Map<number, Batch>();

  constructor(sessions: Sessions, tables: Tables) {
    this.#sessions = sessions;
    this.#sql = settleSql(tables);
  }

  async ack(claimed: Claimed): Promise<void> {
    if (this.#acks === undefined || this.#acks.all.length >= batchSize) {
      const batch = this.#begin('an acknowledgment', this.#sql.ack, [], () => {
        if (this.#acks === batch) this.#acks = undefined;
      });
      this.#acks = batch;
    }
    await settled(this.#acks, claimed);
  }

  async extend(claimed: Claimed, ms: number): Promise<void> {
    let batch = this.#extensions.get(ms);
    if (batch === undefined || batch.all.length >= batchSize) {
      const begun = this.#begin('an extension', this.#sql.extend, [ms], () => {
        if (this.#extensions.get(ms) === begun) this.#extensions.delete(ms);
      });
      this.#extensions.set(ms, begun);
      batch = begun;
    }
    await settled(batch, claimed);
  }

  ackWith(claimed: Claimed, result: Uint8Array): Promise<void> {
    return this.#one('an acknowledgment', this.#sql.ackWith, claimed, [Buffer.from(result)]);
  }

  /** One that is lost on its way is not committed, so it never comes after a later one. */
  async progress({ seq, token, id }: Claimed, value: Uint8Array): Promise<void> {
    const values = [seq, token, Buffer.from(value)];
    const { rows } = await this.#sessions.transact('progress', queryable =>
      queryable.query(this.#sql.progress, values),
    );
    if (rows.length === 0) throw new DeliveryLostError(id);
  }

  async nack(claimed: Claimed, { requeueAfterMs = 0, dead, charge = true }: NackOptions): Promise<void> {
    const nack = (reason: string | null) =>
      this.#one('a negative acknowledgment', this.#sql.nack, claimed, [requeueAfterMs, reason, charge]);
    const reason = dead?.replaceAll('\0', '\ufffd') ?? null;
    try {
      await nack(reason);
    } catch (error) {
      if (reason === null || !isDataFault(error)) throw error;
      await nack(reason.replaceAll(/[^ -~]/g, '?')); // Not every database has all letters
    }
  }

  async #one(
    what: string,
    sql: string,
    { seq, token, id }: Claimed,
    more: readonly unknown[],
  ): Promise<void> {
    const rows = await this.#sessions.run(what, 'Unknown', sql, [seq, token, ...more]);
    if (rows.length === 0) throw new DeliveryLostError(id);
  }

  /** A batch that is sent when this turn of the event loop is over. */
  #begin(what: string, sql: string, more: readonly unknown[], sent: () => void): Batch {
    const all: Claimed[] = [];
    const lost = new Promise<void>(resolve => setImmediate(resolve)).then(async () => {
      sent();
      const seqs = `{${all.map(({ seq }) => seq).join()}}`;
      const tokens = `{${all.map(({ token }) => token).join()}}`;
      const [row] = await this.#sessions.run(what, 'Unknown', sql, [seqs, tokens, ...more]);
      return row!['lost'] === null ? none : new Set<string>(JSON.parse(row!['lost']));
    });
    return { all, lost };
  }
}

async function settled(batch: Batch, claimed: Claimed): Promise<void> {
  batch.all.push(claimed);
  const lost = await batch.lost;
  if (lost.size > 0 && lost.has(`${claimed.seq} ${claimed.token}`)) throw new DeliveryLostError(claimed.id);
}
