import { setTimeout as delay } from 'node:timers/promises';
import { Peer } from '@workspace/faults';
import { startPostgres, startRedis, within } from '@workspace/services';
import { Redis } from 'ioredis';
import pg from 'pg';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { messages, Queue } from '../../src/index.ts';
import { outbox } from '../../src/outbox.ts';
import { type Fault, type Finding, Tally } from '../fault.ts';
import type { OutboxMessage, OutboxSettings } from './outbox-process.ts';

const keys = 5;
/** Longer than the server lets a relay stand still within a transaction. */
const stillMs = 7_000;

interface Messages {
  step: { readonly key: number; readonly n: number };
}

/** Ends what was begun, the last first. */
class Ends implements AsyncDisposable {
  readonly #ends: (() => Promise<unknown>)[] = [];

  adopt<T>(value: T, end: (value: T) => Promise<unknown>): T {
    this.#ends.push(() => end(value));
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
  }
}

/**
 * Writers of a few keys, whose transactions sometimes roll back; two relays in processes of their own; a consumer that
 * notes what comes. What is committed must come, nothing else, and the first of each in the order of its key.
 */
async function play(disturb: (victim: Peer<OutboxMessage>) => Promise<void>): Promise<Finding> {
  await using postgres = await startPostgres({ config: { fsync: true, full_page_writes: true } });
  await using server = await startRedis({ config: { appendonly: 'yes', appendfsync: 'everysec' } });
  await using ends = new Ends();
  const pool = ends.adopt(new pg.Pool({ connectionString: postgres.url, max: keys + 3 }), each => each.end());
  pool.on('error', () => {});
  const redis = ends.adopt(new Redis({ port: server.port, lazyConnect: true }), async each =>
    each.disconnect(),
  );
  const driver = outbox(redisStreams({ redis }), { pool, relay: false });
  const queue = ends.adopt(new Queue(driver, { messages: messages<Messages>() }), each => each.close());
  await driver.migrate();
  const tally = new Tally();
  const committed = new Set<string>();
  const tried = new Set<string>();
  const seen = new Set<string>();
  const last = new Map<number, number>();
  await queue.subscribe(
    'step',
    ({ key, n }) => {
      const name = `${key}-${n}`;
      tally.expect(tried.has(name), `message ${name} was handled, and its transaction was rolled back`);
      if (seen.has(name)) {
        tally.duplicated++;
        return;
      }
      seen.add(name);
      tally.expect(n > (last.get(key) ?? -1), `message ${name} came after ${last.get(key)} of its key`);
      last.set(key, n);
    },
    { concurrency: 1 },
  );
  const settings: OutboxSettings = { postgres: postgres.port, redis: server.port };
  const relays = [1, 2].map(() =>
    ends.adopt(new Peer<OutboxMessage>(new URL('./outbox-process.ts', import.meta.url), settings), each =>
      each.end(),
    ),
  );
  for (const relay of relays) await relay.next();
  const stop = new AbortController();
  const writing = Array.from({ length: keys }, async (_, key) => {
    for (let n = 0; !stop.signal.aborted; n++) {
      const client = await pool.connect();
      const isKept = n % 7 !== 6;
      const name = `${key}-${n}`;
      await client.query('BEGIN');
      if (isKept) tried.add(name);
      await queue.publish('step', { key, n }, { tx: client, key: String(key), id: name });
      await client.query(isKept ? 'COMMIT' : 'ROLLBACK');
      if (isKept) committed.add(name);
      client.release();
      await delay(5);
    }
  });
  await disturb(relays[0]!);
  stop.abort();
  await Promise.all(writing);
  const missing = () => [...committed].filter(name => !seen.has(name));
  await within(30_000, async () => (missing().length === 0 ? true : undefined));
  tally.operations = committed.size;
  tally.lost = missing().length;
  return tally.finding();
}

/** When it is among its messages. */
async function busy(relay: Peer<OutboxMessage>, random: () => number): Promise<void> {
  for (let count = 5 + Math.floor(20 * random()); count > 0; count--) await relay.next();
}

function outboxFault(
  name: string,
  about: string,
  disturb: (victim: Peer<OutboxMessage>, random: () => number) => Promise<void>,
): Fault {
  return {
    name: `outbox-${name}`,
    about,
    allows: ['duplicated'],
    usualRuns: 3,
    async begin() {
      return {
        run: ({ random }) => play(victim => disturb(victim, random)),
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

export const outboxFaults: readonly Fault[] = [
  outboxFault(
    'relay-killed',
    'one of two relays is killed as it publishes: what is committed comes, in the order of its key',
    async (victim, random) => {
      await busy(victim, random);
      await victim.end();
      await delay(500);
    },
  ),
  outboxFault(
    'relay-stopped',
    'one of two relays stands still until the server has dropped it, and goes on: it publishes no row of then',
    async (victim, random) => {
      await busy(victim, random);
      victim.process.kill('SIGSTOP');
      await delay(stillMs);
      victim.process.kill('SIGCONT');
      await delay(1_000);
    },
  ),
];
