import { startPostgres, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { test } from 'vitest';
import { runExample } from './run-example.ts';

describeWith('redis', 'the program over Redis', () => {
  test('prints what its comments say', async () => {
    await using server = await startRedis();
    await runExample('servers/redis.ts', { env: { REDIS_URL: server.url } });
  });
});

describeWith('postgres', 'the program over PostgreSQL', () => {
  test('prints what its comments say', async () => {
    await using server = await startPostgres({ config: { fsync: true, full_page_writes: true } });
    await runExample('servers/postgres.ts', { env: { DATABASE_URL: server.url } });
  });
});
