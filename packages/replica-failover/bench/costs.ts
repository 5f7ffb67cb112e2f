import { type Bench, type Contest, cost, costOver } from '@workspace/bench';
import type pg from 'pg';
import { Session } from '../src/index.ts';
import { type Place, startPlace } from './place.ts';

/** The most that a call may cost over the bare call of a pool. */
const targetMicros = 20;
const text = 'SELECT 1';

type Parts = Omit<Contest, typeof Symbol.asyncDispose>;

function over(name: string, contest: (place: Place) => Parts | Promise<Parts>): Bench {
  return costOver(name, targetMicros, async () => {
    const place = await startPlace();
    return { ...(await contest(place)), [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() };
  });
}

const statement = (db: pg.Client) => db.query(text);

export const costs: readonly Bench[] = [
  over('write', ({ set, primary }) => ({
    ours: ['write', () => set.write(statement)],
    peers: { 'pool.query': () => primary.query(text) },
  })),
  over('write with a session', async ({ set, primary }) => {
    const session = new Session();
    return {
      ours: ['write', () => set.write(statement, { session })],
      peers: {
        'pool.query of the position after it': async () => {
          await primary.query(text);
          await primary.query('SELECT pg_current_wal_flush_lsn()');
        },
      },
    };
  }),
  // What a second round trip costs whoever makes it: none can go with a statement of which nobody knows that it is the last
  cost('a call and what it takes beside a bare one', async () => {
    const { set, primary, ...place } = await startPlace();
    const session = new Session();
    const client = await primary.connect();
    const position = 'SELECT pg_current_wal_flush_lsn()';
    return {
      ours: ['write with a session', () => set.write(statement, { session })],
      peers: {
        write: () => set.write(statement),
        'pool.query': () => primary.query(text),
        'pool.query twice': async () => {
          await primary.query(text);
          await primary.query(position);
        },
        'two queries of one client': async () => {
          await client.query(text);
          await client.query(position);
        },
      },
      async [Symbol.asyncDispose]() {
        client.release();
        await place[Symbol.asyncDispose]();
      },
    };
  }),
  over('transaction', ({ set, primary }) => ({
    ours: ['transaction', () => set.transaction(statement)],
    peers: {
      'BEGIN, statement, COMMIT of a client of the pool': async () => {
        const client = await primary.connect();
        await client.query('BEGIN; SELECT pg_current_xact_id()');
        await client.query(text);
        await client.query('COMMIT');
        client.release();
      },
    },
  })),
  over('read of the primary', ({ set, primary }) => ({
    ours: ['read', () => set.read(statement)],
    peers: { 'pool.query': () => primary.query(text) },
  })),
  over('read, eventual', ({ set, standby }) => ({
    ours: ['read', () => set.read(statement, { consistency: 'eventual' })],
    peers: { 'pool.query of the standby': () => standby.query(text) },
  })),
  over('read of a session that the standby has', async ({ set, standby }) => {
    const session = new Session();
    await set.write(db => db.query('CREATE TABLE item (id int)'), { session });
    return {
      ours: ['read', () => set.read(statement, { session })],
      peers: { 'pool.query of the standby': () => standby.query(text) },
    };
  }),
];
