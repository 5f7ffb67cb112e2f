import { type Bench, figures, type Row } from '@workspace/bench';
import pg from 'pg';
import { type ReplicaSet, Session } from '../src/index.ts';
import { startPlace } from './place.ts';

type Operation = (set: ReplicaSet<pg.Client>) => Promise<unknown>;

const statement = (db: pg.Client) => db.query('SELECT 1');

/** What each call sends, and what the same takes without the set. */
const operations: readonly (readonly [name: string, call: Operation, bare: number])[] = [
  ['write', set => set.write(statement), 1],
  ['write with a session', set => set.write(statement, { session: new Session() }), 1],
  ['transaction', set => set.transaction(statement), 3],
  ['transaction with a session', set => set.transaction(statement, { session: new Session() }), 3],
  ['read', set => set.read(statement), 1],
  ['read, eventual', set => set.read(statement, { consistency: 'eventual' }), 1],
  ['read, monotonic', set => set.read(statement, { consistency: 'monotonic', session: new Session() }), 1],
  ['read, strong', set => set.read(statement, { consistency: 'strong' }), 1],
];

/** How many round trips a call makes, counted where they are sent. */
const counted: Bench = {
  name: 'round trips',
  async run() {
    let count = 0;
    const counting = (connectionString: string) => {
      const client = new pg.Client({ connectionString });
      const query = client.query.bind(client) as (...parameters: unknown[]) => unknown;
      return Object.assign(client, {
        query: (...parameters: unknown[]) => {
          count++;
          return query(...parameters);
        },
      }) as pg.Client;
    };
    // So that no look comes in between
    await using place = await startPlace(counting, { heartbeat: { intervalMs: 600_000 } });
    const rows: Row[] = [];
    for (const [name, call, bare] of operations) {
      await call(place.set); // makes the connection
      const before = count;
      await call(place.set);
      const made = count - before;
      const bench = figures(`round trips of a ${name}`, 'round trips', () => ({
        ours: ['call', made],
        peers: { 'bare statements': bare },
      }));
      rows.push(...(await bench.run()));
    }
    return rows;
  },
};

export const trips: readonly Bench[] = [counted];
