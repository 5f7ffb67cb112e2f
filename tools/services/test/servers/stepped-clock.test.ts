import { Redis as Client } from 'ioredis';
import pg from 'pg';
import { expect, it } from 'vitest';
import { eventually, startPostgres, startRedis, steppedClock } from '../../src/index.ts';
import { describeWith } from '../../src/tests/vitest.ts';
import { closing, soon } from '../support.ts';

const hourMs = 3_600_000;

function isAhead(timeMs: number, aheadMs: number): boolean {
  return Math.abs(timeMs - Date.now() - aheadMs) < 120_000;
}

describeWith([{ own: 'redis' }, 'cc'], 'the clock of Redis', () => {
  it('can be stepped', async () => {
    const clock = await steppedClock();
    const server = closing(await startRedis({ env: clock.env }));
    const redis = closing(new Client(server.url));
    const now = async () => Number((await redis.time())[0]) * 1_000;
    // Valkey goes by the time of its last look at the clock, for some milliseconds
    const comes = (aheadMs: number) =>
      eventually(async () => expect(isAhead(await now(), aheadMs)).toBe(true), soon);
    await comes(0);
    await redis.set('key', 'value', 'EX', 600);
    clock.set(hourMs);
    await comes(hourMs);
    expect(await redis.get('key')).toBeNull();
    clock.set(-hourMs);
    await comes(-hourMs);
  });
});

describeWith([{ own: 'postgres' }, 'cc'], 'the clock of PostgreSQL', () => {
  it('can be stepped', async () => {
    const clock = await steppedClock();
    const server = closing(await startPostgres({ env: clock.env }));
    const client = new pg.Client(server.url);
    await client.connect();
    const now = async () => {
      const { rows } = await client.query(
        `SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS at`,
      );
      return rows[0].at as number;
    };
    try {
      expect(isAhead(await now(), 0)).toBe(true);
      clock.set(hourMs);
      expect(isAhead(await now(), hourMs)).toBe(true);
      clock.set(0);
      expect(isAhead(await now(), 0)).toBe(true);
    } finally {
      await client.end();
    }
  });
});
