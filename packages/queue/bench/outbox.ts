import { type Bench, figures, inTable, median, noiseFloor } from '@workspace/bench';
import { cpuTimeMs, type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { memoryDriver, messages, Queue } from '../src/index.ts';
import { outbox, outboxTable } from '../src/outbox.ts';

const connections = 8;
const rounds = 40;
const roundTransactions = 400;
const payload = { order: '17', items: ['a', 'b', 'c'], note: 'x'.repeat(100) };

type InTransaction = (client: pg.PoolClient, n: number) => Promise<unknown>;

const costs = ['wallUs', 'clientUs', 'serverUs', 'walBytes', 'statements'] as const;
/** Of one transaction. */
type Costs = Record<(typeof costs)[number], number>;

/** Transactions of 8 connections that each insert an order and do something more: always as many, however long they take. */
async function cost(server: Postgres, pool: pg.Pool, more: InTransaction, from: number): Promise<Costs> {
  const counted = async () => {
    const { rows } =
      await pool.query(`SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS wal,
      (SELECT sum(calls)::float8 FROM pg_stat_statements) AS calls`);
    return rows[0] as { wal: number; calls: number };
  };
  const before = await counted();
  const ownCpu = process.cpuUsage();
  const serverCpuMs = cpuTimeMs(server.pid);
  const startedAt = performance.now();
  let left = roundTransactions;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const client = await pool.connect();
      while (left-- > 0) {
        const n = from + left;
        await client.query('BEGIN');
        await client.query('INSERT INTO orders (body) VALUES ($1)', [payload.note]);
        await more(client, n);
        await client.query('COMMIT');
      }
      client.release();
    }),
  );
  const wallUs = (performance.now() - startedAt) * 1_000;
  const { user, system } = process.cpuUsage(ownCpu);
  const serverUs = (cpuTimeMs(server.pid) - serverCpuMs) * 1_000;
  const after = await counted();
  const all = {
    wallUs,
    clientUs: user + system,
    serverUs,
    walBytes: after.wal - before.wal,
    statements: after.calls - before.calls,
  };
  return Object.fromEntries(costs.map(name => [name, all[name] / roundTransactions])) as Costs;
}

type Samples = Record<'publish' | 'publishAgain' | 'insert' | 'insertAgain' | 'prepared', Costs[]>;

async function measured(): Promise<Samples> {
  const config = {
    fsync: true,
    full_page_writes: true,
    shared_buffers: '128MB',
    max_wal_size: '4GB',
    checkpoint_timeout: '1h',
    autovacuum: false,
  };
  const server = await startPostgres({ counting: true, config });
  const pool = new pg.Pool({ connectionString: server.url, max: connections + 2 });
  pool.on('error', () => {}); // Its end does not wait for that of its sessions, which the server's end ends
  const driver = outbox(memoryDriver(), { pool, relay: false });
  const queue = new Queue(driver, { messages: messages<{ work: typeof payload }>() });
  try {
    await pool.query('CREATE TABLE orders (id bigserial PRIMARY KEY, body text)');
    await pool.query(`${outboxTable()}; ${outboxTable('plain')}`);
    const publish: InTransaction = (tx, n) => queue.publish('work', payload, { tx, key: `order-${n}` });
    const rest = JSON.stringify({
      headers: Object.fromEntries('abcdef'.split('').map(x => [x, x.repeat(24)])),
    });
    const insertion = (n: number) => ({
      text: 'INSERT INTO plain (lane, topic, name, key, body, rest) VALUES ($1, $2, $3, $4, $5, $6)',
      values: [n % 64, 'work', crypto.randomUUID(), `order-${n}`, Buffer.from(JSON.stringify(payload)), rest],
    });
    const insert: InTransaction = (client, n) => client.query(insertion(n));
    const prepared: InTransaction = (client, n) => client.query({ name: 'plain', ...insertion(n) });
    const works = { publish, insert, publishAgain: publish, insertAgain: insert, prepared };
    const names = Object.keys(works) as (keyof typeof works)[];
    const samples = Object.fromEntries(names.map(name => [name, [] as Costs[]])) as Samples;
    for (let round = -2; round < rounds; round++) {
      // Equal pages for all, and each time another one first
      await pool.query('TRUNCATE orders, ashlar_outbox, plain');
      for (const index of names.keys()) {
        const name = names[(index + round + names.length) % names.length]!;
        const found = await cost(server, pool, works[name], (round + 2) * roundTransactions);
        if (round >= 0) samples[name].push(found);
      }
    }
    return samples;
  } finally {
    await queue.close();
    await pool.end();
    await server.stop();
  }
}

let samples: Promise<Samples> | undefined;

function compared(what: keyof Costs, unit: string): Bench {
  return figures(`outbox: ${unit} of a transaction that publishes`, unit, async () => {
    samples ??= measured();
    const { publish, publishAgain, insert, insertAgain, prepared } = await samples;
    const ours = median(publish.map(each => each[what]));
    // What slows the machine down slows the neighbors in a round down too, so that pairs are compared
    const paired = (peer: Costs[], own: Costs[]) =>
      ours * median(peer.map((each, n) => each[what] / own[n]![what]));
    return {
      ours: ['an insert and a publish in one transaction', ours],
      peers: {
        [noiseFloor]: paired(publishAgain, publish),
        'with a plain insert of an equal row in its place': paired(
          [...insert, ...insertAgain],
          [...publish, ...publishAgain],
        ),
        'with that insert prepared': paired([...prepared, ...prepared], [...publish, ...publishAgain]),
      },
    };
  });
}

/** The ratio is the peer's cost over ours: from 0.9 on it keeps nine tenths of the rate. */
export const outboxes: readonly Bench[] = inTable('outbox', [
  compared('wallUs', 'µs'),
  compared('clientUs', "µs of the client's CPU"),
  compared('serverUs', "µs of the server's CPU"),
  compared('walBytes', 'bytes of WAL'),
  compared('statements', 'statements'),
]);
