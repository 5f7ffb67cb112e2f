import { memoryStore } from '@ashlar/store';
import { Peer } from '@workspace/faults';
import { type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type Accounts, accountsRouter, audit, ddl, ownersOn, postgresShards } from './accounts.ts';

const names = ['one', 'three', 'two'] as const;
const ends: (() => Promise<unknown>)[] = [];
const urls: Record<string, string> = {};
let server: Postgres;
let admin: pg.Client;
let router: Accounts;
let owners: string[];

beforeAll(async () => {
  server = await startPostgres({ own: true, config: { max_prepared_transactions: 20 } });
  ends.push(() => server.stop());
  admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  ends.push(() => admin.end());
  for (const name of names) {
    await admin.query(`CREATE DATABASE ${name}`);
    urls[name] = server.url.replace(/[^/]*$/, name);
    const client = new pg.Client({ connectionString: urls[name] });
    await client.connect();
    await client.query(ddl);
    await client.end();
  }
  const shards = await postgresShards(urls);
  for (const shard of Object.values(shards)) ends.push(() => shard.close());
  const store = memoryStore();
  ends.push(() => store.close());
  router = accountsRouter(shards, store, { sweepMs: 600_000 });
  ends.push(() => router.close());
  await router.ready();
  owners = ownersOn(router, names);
  for (const owner of owners) await router.table('accounts').insert({ owner, balance: 1_000 });
});
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** What its statements look like, and what must become of a transfer whose process dies there. */
const steps = [
  { at: '^BEGIN$|^BEGIN ISO', n: 1, when: 'after', becomes: 'nothing' },
  { at: '^INSERT INTO "transfers"', n: 3, when: 'after', becomes: 'nothing' },
  { at: '^PREPARE TRANSACTION', n: 1, when: 'before', becomes: 'nothing' },
  { at: '^PREPARE TRANSACTION', n: 1, when: 'sent', becomes: 'nothing' },
  { at: '^PREPARE TRANSACTION', n: 2, when: 'after', becomes: 'nothing' },
  { at: '^INSERT INTO ashlar_shards.decision', n: 1, when: 'before', becomes: 'nothing' },
  { at: '^INSERT INTO ashlar_shards.decision', n: 1, when: 'after', becomes: 'nothing' },
  { at: '; *COMMIT', n: 1, when: 'sent', becomes: 'either' },
  { at: '; *COMMIT', n: 1, when: 'after', becomes: 'all' },
  { at: '^COMMIT PREPARED', n: 1, when: 'before', becomes: 'all' },
  { at: '^COMMIT PREPARED', n: 1, when: 'after', becomes: 'all' },
  { at: '^COMMIT PREPARED', n: 2, when: 'after', becomes: 'all' },
  { at: '^UPDATE ashlar_shards.decision', n: 1, when: 'before', becomes: 'all' },
] as const;

it.each(steps)('a process that dies $when "$at" ($n) leaves $becomes', async ({ becomes, ...dies }) => {
  const id = JSON.stringify(dies);
  const [from, ...to] = owners;
  const peer = new Peer(new URL('./transfer-process.ts', import.meta.url), { urls, from, to, id, dies });
  onTestFinished(() => peer.end());
  const said = await peer.next().catch(() => 'died');
  // The last step is not waited for
  expect(said).toBeOneOf(dies.at.startsWith('^UPDATE') ? ['died', 'done'] : ['died']);
  const { failed } = await router.recover(0);
  expect(failed).toEqual([]);
  // What a server still was about when its client died may have come to wait after that
  for (;;) {
    const { rows } = await admin.query(
      `SELECT (SELECT count(*)::int FROM pg_prepared_xacts) AS waiting, (SELECT count(*)::int FROM pg_stat_activity
         WHERE datname = ANY ($1) AND state <> 'idle' AND backend_type = 'client backend') AS busy`,
      [names],
    );
    if (rows[0].waiting === 0 && rows[0].busy === 0) break;
    await router.recover(0);
  }
  const { sum, transfers } = await audit(router);
  expect(sum).toBe(3_000n);
  const parts = transfers[id] ?? 0;
  expect(parts).toBeOneOf(becomes === 'either' ? [0, 3] : [becomes === 'all' ? 3 : 0]);
});
