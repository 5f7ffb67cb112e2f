import { postgresDriver } from '@ashlar/queue/postgres';
import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';
import { leaseMs, type Place, type ShopBackend, type WorkerBackend } from './backend.ts';

export async function shopPostgres(place: Place): Promise<ShopBackend> {
  const pool = poolOf(place);
  const driver = driverOf(place, pool);
  try {
    await driver.migrate();
    await storeOf(place, pool).migrate();
  } catch (error) {
    await pool.end();
    throw error;
  }
  return {
    driver,
    connect: () => ({ place, transfer: [] }),
    [Symbol.asyncDispose]: () => removeTables(pool, place),
  };
}

export function workerPostgres(place: Place): WorkerBackend {
  const pool = poolOf(place);
  return { driver: driverOf(place, pool), store: storeOf(place, pool) };
}

function poolOf({ url }: Place): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 10, connectionTimeoutMillis: 2_000 });
  pool.on('error', () => {}); // The calls reject with it
  return pool;
}

/** The default, `synchronous`, refuses a server that writes to no disk, as one for tests is. */
const durability = 'asynchronous';

function driverOf({ run }: Place, pool: pg.Pool) {
  return postgresDriver({ pool, prefix: `queue_${run}`, leaseMs, durability });
}

function storeOf({ run }: Place, pool: pg.Pool) {
  return postgresStore({ pool, table: `billed_${run}`, durability });
}

/** Takes away what the run has left there; where the server is gone there is nothing to take away. */
async function removeTables(pool: pg.Pool, { run }: Place): Promise<void> {
  const ours = `SELECT tablename FROM pg_tables WHERE tablename ~ '^(queue|billed)_${run}'`;
  const found = await pool.query<{ tablename: string }>(ours).catch(() => ({ rows: [] }));
  const names = found.rows.map(({ tablename }) => pg.escapeIdentifier(tablename)).join(', ');
  if (names !== '') await pool.query(`DROP TABLE IF EXISTS ${names} CASCADE`).catch(() => {});
  await pool.end();
}
