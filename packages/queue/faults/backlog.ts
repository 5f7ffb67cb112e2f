import { setTimeout as delay } from 'node:timers/promises';
import { type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { type Driver, type MemoryCapabilities, memoryDriver } from '../src/index.ts';
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
    const config = { shared_preload_libraries: 'pg_stat_statements', shared_buffers: '128MB' };
    const place = new Place(await startPostgres({ config: { ...config, max_wal_size: '2GB' } }));
    await place.pool.query('CREATE EXTENSION pg_stat_statements');
    return place;
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

  /** Blocks that such statements have read since the last reset, and the rows that they have changed or found. */
  async read(like: string): Promise<{ readonly blocks: number; readonly rows: number }> {
    const { rows: found } = await this.pool.query(
      `SELECT coalesce(sum(shared_blks_hit + shared_blks_read), 0)::float8 AS blocks, coalesce(sum(rows), 0)::float8 AS rows
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

/** What comes of each tenth of a backlog. */
function judge(tally: Tally, name: string, costs: readonly number[]): void {
  say(name, `blocks a row, of each tenth: ${costs.map(cost => cost.toFixed(2)).join(' ')}`);
  const [first = 0] = costs;
  const last = costs.at(-1)!;
  tally.expect(
    last <= 2 * first,
    `the last tenth reads ${last.toFixed(2)} blocks a row, the first ${first.toFixed(2)}`,
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
];
