import pg from 'pg';
import { nowMs } from './roles.ts';
import type { FourShards } from './shards.ts';

interface Accepted {
  readonly at: string;
  readonly begunAt: number;
  readonly endedAt: number;
}

/** Writes one row past the router, at the source and at the target, all the time: the fences are all that is in its way. */
export class Probe {
  readonly #customer: string;
  readonly #from: string;
  readonly #before: number;
  readonly #accepted: Accepted[] = [];
  readonly #loops: Promise<void>[];
  #isOver = false;

  private constructor(shards: FourShards, customer: string, from: string, to: string, before: number) {
    this.#before = before;
    this.#customer = customer;
    this.#from = from;
    this.#loops = [from, to].map(name => this.#write(shards, name));
  }

  static async start(shards: FourShards, customer: string, from: string, to: string): Promise<Probe> {
    const statement = 'SELECT direct::int FROM customer WHERE id = $1';
    const [row] = [
      ...(await shards.ask(from, statement, [customer])),
      ...(await shards.ask(to, statement, [customer])),
    ];
    return new Probe(shards, customer, from, to, row.direct);
  }

  /** How often the old place let it in after the new one had, and how many were let in. */
  async end(): Promise<{
    readonly customer: string;
    readonly before: number;
    readonly accepted: number;
    readonly twoPlaces: number;
  }> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    const firstAtTarget = this.#accepted
      .filter(({ at }) => at !== this.#from)
      .reduce((first, { endedAt }) => Math.min(first, endedAt), Infinity);
    const late = this.#accepted.filter(({ at, begunAt }) => at === this.#from && begunAt > firstAtTarget);
    return {
      customer: this.#customer,
      before: this.#before,
      accepted: this.#accepted.length,
      twoPlaces: late.length,
    };
  }

  async #write(shards: FourShards, name: string): Promise<void> {
    let client: pg.Client | undefined;
    while (!this.#isOver) {
      try {
        if (client === undefined) {
          client = new pg.Client({ connectionString: shards.servers.get(name)!.url, query_timeout: 3_000 });
          client.on('error', () => {});
          await client.connect();
        }
        const begunAt = nowMs();
        const { rowCount } = await client.query('UPDATE customer SET direct = direct + 1 WHERE id = $1', [
          this.#customer,
        ]);
        if (rowCount === 1) this.#accepted.push({ at: name, begunAt, endedAt: nowMs() });
      } catch (error) {
        if ((error as { code?: string }).code !== 'AS409') {
          await client?.end().catch(() => {});
          client = undefined;
        }
      }
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    await client?.end().catch(() => {});
  }
}
