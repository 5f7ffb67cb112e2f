import { startPostgres } from '@workspace/services';
import pg from 'pg';
import { type PostgresDriver, postgresDriver } from '../../src/adapters/postgres.ts';
import type { Kind } from './kind.ts';

const usualMs = 2_000;

export const postgresKind: Kind = {
  needs: 'postgres',
  start: async () => {
    const server = await startPostgres({ config: { fsync: true, full_page_writes: true } });
    const pool = poolAt(server.port);
    const driver = driverOver(pool);
    await driver.migrate();
    await driver[Symbol.asyncDispose]();
    await pool.end();
    return server;
  },
  driver: (port, leaseMs, timeoutMs) => driverOver(poolAt(port, timeoutMs), leaseMs, timeoutMs),
};

function poolAt(port: number, timeoutMs = usualMs): pg.Pool {
  const connectionString = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const pool = new pg.Pool({ connectionString, connectionTimeoutMillis: timeoutMs, allowExitOnIdle: true });
  // It outlives the driver, and its server may be killed then
  pool.on('error', () => {});
  return pool;
}

function driverOver(pool: pg.Pool, leaseMs?: number, timeoutMs = usualMs): PostgresDriver {
  return postgresDriver({ pool, ...(leaseMs && { leaseMs }), timeoutMs });
}
