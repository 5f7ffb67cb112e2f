import { setTimeout as delay } from 'node:timers/promises';
import { type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { sweepSize } from '../src/idempotency/inbox-table.ts';
import { type Driver, type MemoryCapabilities, memoryDriver, messages, Queue } from '../src/index.ts';
import { outbox } from '../src/outbox.ts';
import { type Fault, type Finding, Tally } from './fault.ts';

/** For runs that are to be shorter. */
const rows = Number(process.env['ROWS'] ?? 1_000_000);
const parts = 10;

const say = (name: string, text: string) => process.stderr.write(`${name}: ${text}\n`);

/** A server that counts what its statements read, and a table with a backlog. */
class Place implements AsyncDisposable {
  readonly server: Postgres;
  readonly pool: pg.Pool;
  readonly #pools: pg.Pool[] = [];

  private constructor(server: Postgres) {
    this.server = server;
    this.pool = this.newPool();
  }

  static async begin(): Promise<Place> {
    return new Place(
      await startPostgres({ counting: true, config: { shared_buffers: '128MB', max_wal_size: '2GB' } }),
    );
  }

  newPool(): pg.Pool {
    const pool = new pg.Pool({ connectionString: this.server.url });
    pool.on('error', () => {});
    this.#pools.push(pool);
    return pool;
  }

  /** As by transactions of a thousand each. */
  async fill(insertion: (from: number, to: number) => string): Promise<void> {
    for (let from = 0; from < rows; from += 1_000) {
      await this.pool.query(insertion(from, Math.min(rows, from + 1_000) - 1));
    }
  }

  async reset(): Promise<void> {
    await this.pool.query('SELECT pg_stat_statements_reset()');
  }

  /** Blocks that such statements have read since the last reset, and how often they were executed. */
  async read(like: string): Promise<{ readonly blocks: number; readonly calls: number }> {
    const { rows: found } = await this.pool.query(
      `SELECT coalesce(sum(shared_blks_hit + shared_blks_read), 0)::float8 AS blocks, coalesce(sum(calls), 0)::float8 AS calls
      FROM pg_stat_statements WHERE toplevel AND query LIKE $1 AND query NOT LIKE '%pg_stat_statements%'`,
      [like],
    );
    return found[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pool of this.#pools) await pool.end();
    await this.server.stop();
  }
}

/** What comes of each part of a backlog, some tenth of it. */
function judge(tally: Tally, name: string, costs: readonly number[]): void {
  say(name, `blocks a row, of each part: ${costs.map(cost => cost.toFixed(2)).join(' ')}`);
  const [first = 0] = costs;
  const last = costs.at(-1)!;
  tally.expect(
    last <= 2 * first,
    `the last part reads ${last.toFixed(2)} blocks a row, the first ${first.toFixed(2)}`,
  );
}

async function relay(name: string, isHeld: boolean): Promise<Finding> {
  await using place = await Place.begin();
  const tally = new Tally();
  const times = new Uint8Array(rows);
  let relayed = 0;
  const memory = memoryDriver();
  const taking: Driver<MemoryCapabilities> = {
    capabilities: memory.capabilities,
    declare: (...about) => memory.declare(...about),
    consume: (...about) => memory.consume(...about),
    publish: async (_topic, batch) => {
      for (const { id } of batch) {
        if (times[Number(id)]!++ === 0) relayed++;
      }
      return batch.map(() => ({ ok: true }));
    },
    [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
  };
  const maker = outbox(memoryDriver(), { pool: place.pool, relay: false });
  await maker.migrate();
  await maker[Symbol.asyncDispose]();
  await place.fill(
    (from, to) => `INSERT INTO ashlar_outbox (lane, topic, name, key, body, rest)
      SELECT n % 64, 'order', n, 'key ' || n % 6400, convert_to('{"n":' || n || '}', 'UTF8'), '{"headers":{}}'
      FROM generate_series(${from}, ${to}) AS n`,
  );
  const holder = await place.newPool().connect();
  if (isHeld)
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM ashlar_outbox LIMIT 1');
  await place.reset();
  const driver = outbox(taking, { pool: place.newPool() });
  const costs: number[] = [];
  for (let part = 1; part <= parts; part++) {
    const before = relayed;
    while (relayed < (rows * part) / parts) await delay(20);
    const { blocks } = await place.read('%ashlar_outbox%');
    await place.reset();
    costs.push(blocks / (relayed - before || 1));
  }
  await driver[Symbol.asyncDispose]();
  holder.release(true);
  await place.pool.query('VACUUM ashlar_outbox');
  const { rows: left } = await place.pool.query(
    `SELECT count(*)::int AS waiting, pg_relation_size('ashlar_outbox')::int AS bytes FROM ashlar_outbox`,
  );
  tally.operations = rows;
  tally.lost = rows - relayed;
  tally.duplicated = times.reduce((sum, each) => sum + Math.max(0, each - 1), 0);
  tally.expect(left[0].waiting === 0, `${left[0].waiting} rows are left`);
  say(name, `after a vacuum the table has ${left[0].bytes} bytes`);
  judge(tally, name, costs);
  return tally.finding();
}

interface Work {
  work: { readonly n: number };
}

/** Handles messages exactly once, over records that it makes and that have been made long ago. */
class Inbox implements AsyncDisposable {
  readonly #pool: pg.Pool;
  #queue = new Queue(memoryDriver(), { messages: messages<Work>() });
  #handled = () => 0;
  #sent = 0;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** As a process that starts, which looks for old records with its first messages. */
  async restart(): Promise<void> {
    await this.#queue.close();
    this.#sent = 0;
    this.#queue = new Queue(memoryDriver(), { messages: messages<Work>() });
    const subscription = await this.#queue.subscribe(
      'work',
      async ({ n }, { tx }) => {
        await tx.query('INSERT INTO effects VALUES ($1)', [n]);
      },
      { concurrency: 5, idempotency: { mode: 'transaction', pool: this.#pool } },
    );
    this.#handled = () => subscription.snapshot().handled;
  }

  async pass(from: number, count: number): Promise<void> {
    const numbers = Array.from({ length: count }, (_, index) => ({ n: from + index }));
    await this.#queue.publishMany('work', numbers, ({ n }: { n: number }) => ({ id: `${n}` }));
    this.#sent += count;
    while (this.#handled() < this.#sent) await delay(1);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#queue.close();
  }
}

const singles = 500;
/** Without a record deleted. */
const patienceMs = 120_000;

async function forget(name: string, isHeld: boolean): Promise<Finding> {
  await using place = await Place.begin();
  const tally = new Tally();
  await place.pool.query('CREATE TABLE effects (n integer)');
  await using inbox = new Inbox(place.newPool());
  const costOfClaim = async () => {
    await place.reset();
    const from = tally.operations;
    await inbox.pass(from, singles);
    tally.operations += singles;
    const { blocks, calls } = await place.read('WITH locked AS MATERIALIZED%');
    return blocks / calls;
  };
  await inbox.restart();
  const few = await costOfClaim();
  await place.fill(
    (from, to) => `INSERT INTO ashlar_inbox (name, fingerprint, handled)
      SELECT 'default:work:old ' || n, 'fingerprint', now() - interval '30 days' + n * interval '1 second'
      FROM generate_series(${from}, ${to}) AS n`,
  );
  const many = await costOfClaim();
  say(name, `blocks of a claim: ${few.toFixed(1)} with few records, ${many.toFixed(1)} with ${rows}`);
  tally.expect(many <= 2 * few, `a claim reads ${many.toFixed(1)} blocks, and ${few.toFixed(1)} with few`);

  const holder = await place.newPool().connect();
  if (isHeld) await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM ashlar_inbox LIMIT 1');
  const old = async () => {
    const text = `SELECT count(*)::int AS old, (SELECT count(*)::int FROM ashlar_inbox) AS all
      FROM ashlar_inbox WHERE name LIKE '%:old %'`;
    return (await place.pool.query(text)).rows[0];
  };
  const toForget = (await old()).old;
  await inbox.restart();
  const costs: number[] = [];
  let forgotten = 0;
  let before = 0;
  let changedAt = performance.now();
  await place.reset();
  while (forgotten < toForget && performance.now() < changedAt + patienceMs) {
    await inbox.pass(tally.operations, 20);
    tally.operations += 20;
    const { blocks, calls } = await place.read('%DELETE FROM%ashlar_inbox%');
    const deleted = calls * sweepSize;
    if (deleted > before) changedAt = performance.now();
    before = deleted;
    if (forgotten + deleted < (toForget * (costs.length + 1)) / parts) continue;
    costs.push(blocks / deleted);
    forgotten += deleted;
    before = 0;
    await place.reset();
  }
  judge(tally, name, costs);
  // Of those there are records still
  await inbox.restart();
  await inbox.pass(0, singles);
  holder.release(true);
  const { rows: effects } = await place.pool.query(
    'SELECT count(*)::int AS all, count(DISTINCT n)::int AS different FROM effects',
  );
  const left = await old();
  tally.lost = tally.operations - effects[0].different;
  tally.duplicated = effects[0].all - effects[0].different;
  tally.expect(left.old === 0, `${left.old} old records are left`);
  tally.expect(left.all === tally.operations, `${left.all} records of ${tally.operations} messages`);
  return tally.finding();
}

function fault(name: string, about: string, run: () => Promise<Finding>): Fault {
  return {
    name,
    about,
    usualRuns: 1,
    async begin() {
      return { run, async [Symbol.asyncDispose]() {} };
    },
  };
}

/** Too long for a test. */
export const backlogFaults: readonly Fault[] = [
  fault(
    'outbox-backlog',
    `${rows} rows wait in an outbox (ROWS): all are relayed, and the last cost no more than twice the first`,
    () => relay('outbox-backlog', false),
  ),
  fault('outbox-backlog-held', `the same while a snapshot is held, so that no deleted row is vacuumed`, () =>
    relay('outbox-backlog-held', true),
  ),
  fault(
    'inbox-backlog',
    `${rows} records of idempotency are too old (ROWS): they go while messages are handled, each once, and the last cost no more than twice the first; a claim costs no more than twice that with few`,
    () => forget('inbox-backlog', false),
  ),
  fault(
    'inbox-backlog-held',
    'the same while a snapshot is held, so that no deleted record is vacuumed',
    () => forget('inbox-backlog-held', true),
  ),
];
