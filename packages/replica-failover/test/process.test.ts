import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { startPostgres, startRedis } from '@workspace/services';
import { expect, it, onTestFinished } from 'vitest';

/** Runs a program that ends by itself. */
async function run(code: string): Promise<{ code: number | null; stderr: string }> {
  const flags = ['--conditions=@ashlar/source', '--import', 'tsx', '--input-type=module', '--eval', code];
  const child = spawn(process.execPath, flags, {
    cwd: resolve(import.meta.dirname, '..'),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', data => {
    stderr += data;
  });
  return new Promise(done => child.on('close', exit => done({ code: exit, stderr })));
}

const calls =
  'for (const each of [1, 2]) { await set.write(work); await set.read(work, { consistency: "eventual" }); }';

it('a set of PostgreSQL that is not closed does not keep its process alive', async () => {
  const primary = await startPostgres({ standbys: 1 });
  onTestFinished(() => primary.stop());
  const servers = [primary, ...primary.standbys].map(({ url }, n) => ({ id: `${n}`, connection: url }));
  const ran = await run(`
    import { ReplicaSet } from '@ashlar/replica-failover';
    import { postgresServers } from '@ashlar/replica-failover/postgres';
    import pg from 'pg';
    const newClient = connectionString => new pg.Client({ connectionString });
    const set = await ReplicaSet.connect({ servers: postgresServers({ servers: ${JSON.stringify(servers)}, newClient }) });
    const work = db => db.query('SELECT pg_sleep(0.05)');
    ${calls}`);
  expect(ran).toEqual({ code: 0, stderr: '' });
});

it('nor does one of Redis', async () => {
  const primary = await startRedis({ replicas: 1 });
  onTestFinished(() => primary.stop());
  const servers = [primary, ...primary.replicas].map(({ url }, n) => ({ id: `${n}`, connection: url }));
  const ran = await run(`
    import { ReplicaSet } from '@ashlar/replica-failover';
    import { redisServers } from '@ashlar/replica-failover/redis';
    import { Redis } from 'ioredis';
    const newClient = (url, settings) => new Redis(url, settings);
    const set = await ReplicaSet.connect({ servers: redisServers({ servers: ${JSON.stringify(servers)}, newClient }) });
    const work = db => db.get('a');
    ${calls}`);
  expect(ran).toEqual({ code: 0, stderr: '' });
});
