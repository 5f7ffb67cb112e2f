import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { withDeadline } from '@ashlar/core';
import { type Bench, figures, inTable, median, noiseFloor } from '@workspace/bench';
import { cpuTimeMs, type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { postgresDriver } from '../src/adapters/postgres.ts';
import { messages, Queue } from '../src/index.ts';

const jobs = 5_000;
const batch = 100;
const rounds = 5;
const handlers = 100;
/** Milliseconds that a subject may take for a round. */
const roundMs = 60_000;
/** What sessions that were told to end, and autovacuum, do meanwhile counts for the subject before. */
const settleMs = 500;
/** A folder with peers in its `node_modules`, which are not among the dependencies of this workspace. */
const peersIn = process.env['PEERS'];

/** A queue with jobs that carry a number, and handlers that do nothing. */
interface Subject {
  publish(from: number, count: number): Promise<unknown>;
  /** Begins to handle. Resolves with what stops it. */
  handle(handled: () => void): Promise<() => Promise<unknown>>;
  close(): Promise<unknown>;
}

// biome-ignore lint/suspicious/noExplicitAny: not among the dependencies of this workspace
type Library = any;

function newPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 10, idleTimeoutMillis: 0 });
  pool.on('error', () => {});
  pool.on('connect', client => client.on('error', () => {}));
  return pool;
}

async function ours(url: string, prefix: string): Promise<Subject> {
  const pool = newPool(url);
  const driver = postgresDriver({ pool, prefix, durability: 'asynchronous' });
  await driver.migrate();
  const queue = new Queue(driver, { messages: messages<{ work: { readonly n: number } }>() });
  await queue.declare('work');
  return {
    publish: (from, count) =>
      queue.publishMany(
        'work',
        Array.from({ length: count }, (_, index) => ({ n: from + index })),
      ),
    handle: async handled => {
      const subscription = await queue.subscribe('work', handled, { concurrency: handlers });
      return () => subscription.close();
    },
    close: async () => {
      await queue.close();
      await pool.end();
    },
  };
}

async function peer(name: string): Promise<Library> {
  if (peersIn === undefined) return import(name);
  return import(pathToFileURL(createRequire(`${peersIn}/package.json`).resolve(name)).href);
}

async function pgBoss(url: string): Promise<Subject> {
  const library = await peer('pg-boss');
  const Boss = library.PgBoss ?? library.default;
  const boss = new Boss({
    connectionString: url,
    max: 10,
    idleTimeoutMillis: 0,
    supervise: false,
    schedule: false,
  });
  boss.on('error', () => {});
  await boss.start();
  await boss.createQueue('work');
  const jobOf = (n: number) => ({ name: 'work', data: { n } });
  const isNew = library.PgBoss !== undefined;
  return {
    publish: (from, count) => {
      const all = Array.from({ length: count }, (_, index) => jobOf(from + index));
      return isNew ? boss.insert('work', all) : boss.insert(all);
    },
    // What `work` does, without its pause of half a second at least after each batch
    handle: async handled => {
      let isOver = false;
      const working = (async () => {
        while (!isOver) {
          const all = (await boss.fetch('work', { batchSize: handlers })) as { id: string }[] | null;
          if (all === null || all.length === 0) continue;
          all.forEach(handled);
          const ids = all.map(({ id }) => id);
          await boss.complete('work', ids);
        }
      })();
      return () => {
        isOver = true;
        return working;
      };
    },
    // Without grace, its connections end after the call, and not before the server
    close: () => boss.stop(),
  };
}

async function graphileWorker(url: string): Promise<Subject> {
  const { Logger, makeWorkerUtils, run } = await peer('graphile-worker');
  const logger = new Logger(() => () => {});
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  await utils.migrate();
  return {
    publish: (from, count) =>
      utils.addJobs(
        Array.from({ length: count }, (_, index) => ({ identifier: 'work', payload: { n: from + index } })),
      ),
    handle: async handled => {
      const taskList = { work: async () => handled() };
      const shared = { connectionString: url, maxPoolSize: 10, concurrency: handlers, noHandleSignals: true };
      const runner = await run({ ...shared, taskList, logger, pollInterval: 500 });
      return () => runner.stop();
    },
    close: () => utils.release(),
  };
}

const costs = ['statements', 'walBytes', 'serverUs', 'publishUs', 'drainUs'] as const;
type Costs = Record<(typeof costs)[number], number>;

/** Of all sessions, also of those that have ended. Linux only. */
function serverCpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return cpuTimeMs(pid) + 10 * (Number(fields[13]) + Number(fields[14]));
}

async function cost(server: Postgres, admin: pg.Pool, subject: Subject): Promise<Costs> {
  const counted = async () => {
    await delay(settleMs);
    const { rows } =
      await admin.query(`SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS wal,
      (SELECT sum(calls)::float8 FROM pg_stat_statements WHERE toplevel) AS calls`);
    return rows[0] as { wal: number; calls: number };
  };
  const before = await counted();
  const own = process.cpuUsage();
  const serverMs = serverCpuMs(server.pid);
  let publishUs = 0;
  let handled = 0;
  let all = () => {};
  const done = new Promise<void>(resolve => {
    all = resolve;
  });
  const late = () => new Error(`handled ${handled} of ${jobs} jobs in ${roundMs} ms`);
  await withDeadline({ timeoutMs: roundMs, late }, async () => {
    for (let n = 0; n < jobs; n += batch) await subject.publish(n, batch);
    const { user, system } = process.cpuUsage(own);
    publishUs = user + system;
    const stop = await subject.handle(() => {
      if (++handled === jobs) all();
    });
    await done;
    await stop();
  });
  const { user, system } = process.cpuUsage(own);
  const serverUs = (serverCpuMs(server.pid) - serverMs) * 1_000;
  const after = await counted();
  const spent = {
    statements: after.calls - before.calls,
    walBytes: after.wal - before.wal,
    serverUs,
    publishUs,
    drainUs: user + system - publishUs,
  };
  return Object.fromEntries(costs.map(name => [name, spent[name] / jobs])) as Costs;
}

async function measured(): Promise<Map<string, Costs[]>> {
  const config = {
    shared_buffers: '128MB',
    max_wal_size: '4GB',
    checkpoint_timeout: '1h',
    wal_level: 'replica', // As it is by default
  };
  const server = await startPostgres({ counting: true, config });
  const admin = new pg.Pool({ connectionString: server.url });
  admin.on('error', () => {}); // Its end does not wait for that of its sessions, which the server's end ends
  const subjects = new Map<string, Subject>();
  const samples = new Map<string, Costs[]>();
  const ways = {
    ours: () => ours(server.url, 'ours'),
    [noiseFloor]: () => ours(server.url, 'again'),
    'pg-boss': () => pgBoss(server.url),
    'graphile-worker': () => graphileWorker(server.url),
  };
  try {
    for (const [name, make] of Object.entries(ways)) {
      try {
        subjects.set(name, await make());
        samples.set(name, []);
      } catch (error) {
        if (!/MODULE_NOT_FOUND$/.test((error as { code?: string }).code ?? '')) throw error;
        process.stderr.write(
          `without ${name}: in an empty folder, npm init -y && npm install ${name}, and name it in PEERS\n`,
        );
      }
    }
    for (let round = -1; round < rounds; round++) {
      for (const [name, subject] of subjects) {
        const found = await cost(server, admin, subject);
        if (round >= 0) samples.get(name)!.push(found);
      }
    }
    return samples;
  } finally {
    for (const subject of subjects.values()) await subject.close();
    await admin.end();
    await server.stop();
  }
}

let samples: ReturnType<typeof measured> | undefined;

function compared(what: keyof Costs, unit: string): Bench {
  return figures(`PostgreSQL: ${unit} a job`, unit, async () => {
    samples ??= measured();
    const values = [...(await samples)].map(
      ([name, all]) => [name, median(all.map(each => each[what]))] as const,
    );
    const [[, own], ...peers] = values as [readonly [string, number], ...(readonly [string, number])[]];
    return { ours: ['postgresDriver', own], peers: Object.fromEntries(peers) };
  });
}

/** The same server for all, in turns; only counts and CPU, which others on the machine change little. */
export const postgresBenches: readonly Bench[] = inTable('PostgreSQL', [
  compared('statements', 'statements'),
  compared('walBytes', 'bytes of WAL'),
  compared('serverUs', "µs of the server's CPU"),
  compared('publishUs', "µs of the client's CPU to publish"),
  compared('drainUs', "µs of the client's CPU to drain"),
]);
