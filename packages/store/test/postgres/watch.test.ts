import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { seededRandom } from '@ashlar/core';
import { eventually, type Postgres, startPostgres, startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { Mirror } from '../../src/conformance/tools.ts';
import { ending } from '../support/stores.ts';
import { Tables } from './tables.ts';

const withinMs = 10_000;
const value = new TextEncoder().encode('value');

describeWith({ own: 'postgres' }, 'watches of postgresStore', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());

  async function tablesHere(): Promise<Tables> {
    const tables = ending(new Tables(server.url));
    await tables.store().migrate();
    return tables;
  }

  /** Writes a key in a transaction that it leaves open. */
  async function begin({ admin, table }: Tables, key: string): Promise<pg.PoolClient> {
    const client = await admin.connect();
    await client.query('BEGIN');
    await client.query(`INSERT INTO ${table} (kind, key, value, version, changed)
      VALUES (0, '${key}', 'value', '${key}', pg_current_xact_id())`);
    return client;
  }

  async function commit(client: pg.PoolClient): Promise<void> {
    await client.query('COMMIT');
    client.release();
  }

  function hears(mirror: Mirror, key: string): Promise<void> {
    return eventually(
      async () => {
        if (!mirror.state.has(key)) throw new Error(`it does not know ${key}`);
      },
      { withinMs },
    );
  }

  it('tell a transaction that commits after later ones', async () => {
    const tables = await tablesHere();
    const store = tables.store();
    await using mirror = new Mirror(store, '');
    await store.get('');
    const slow = await begin(tables, 'slow');
    for (const key of ['a', 'b', 'c']) {
      await store.set(key, value);
      await hears(mirror, key);
    }
    expect(mirror.state.has('slow')).toBe(false);
    await commit(slow);
    await hears(mirror, 'slow');
    expect(mirror.resets).toBe(0);
  });

  it('tell every transaction, in whatever order they end', async () => {
    const tables = await tablesHere();
    tables.admin.options.max = 12;
    const store = tables.store();
    await using mirror = new Mirror(store, '');
    await store.get('');
    const random = seededRandom(3);
    const open: pg.PoolClient[] = [];
    for (let i = 0; i < 150; i++) {
      if (open.length < 10) open.push(await begin(tables, `key-${i}`));
      if (random() < 0.9) {
        const [client] = open.splice(Math.floor(random() * open.length), 1);
        if (random() < 0.2) {
          await client!.query('ROLLBACK');
          client!.release();
        } else await commit(client!);
      }
    }
    await Promise.all(open.map(commit));
    const waiting = { store, [Symbol.asyncDispose]: async () => {} };
    await mirror.agrees(waiting, store, '');
    expect(mirror.state.size).toBeGreaterThan(100);
    expect(mirror.resets).toBe(0);
  });

  it('hear of what nobody rang for with the next beat', async () => {
    const tables = await tablesHere();
    const store = tables.store();
    await using mirror = new Mirror(store, '');
    await store.get('');
    await commit(await begin(tables, 'silent'));
    await hears(mirror, 'silent');
    await tables.sql(
      `UPDATE ${tables.table} SET value = NULL, changed = pg_current_xact_id() WHERE kind = 0`,
    );
    await eventually(
      async () => {
        if (mirror.state.size > 0) throw new Error('it was not told of the delete');
      },
      { withinMs },
    );
    expect(mirror.resets).toBe(0);
  });

  it('are rung for only while there are any', async () => {
    const tables = await tablesHere();
    const store = tables.store();
    const [channel] = await tables.sql(
      `SELECT 'ashlar_store_' || left(encode(sha256('${tables.table}'), 'hex'), 16) AS name`,
    );
    const listener = await tables.admin.connect();
    let rings = 0;
    listener.on('notification', () => rings++);
    await listener.query(`LISTEN ${channel!['name']}`);
    onTestFinished(() => listener.release(true));
    for (let i = 0; i < 20; i++) await store.set(`key-${i}`, value);
    await listener.query('SELECT');
    expect(rings).toBe(0);
    const end = new AbortController();
    const changes = store.watch('', { signal: end.signal })[Symbol.asyncIterator]();
    await store.get(''); // A watch has what is executed after the next call on its store
    await tables.store().set('key', value);
    await changes.next();
    await eventually(
      async () => {
        await listener.query('SELECT');
        if (rings === 0) throw new Error('nobody rang');
      },
      { withinMs },
    );
    end.abort();
  });

  it('notice a black hole, say so, and list again after it', async () => {
    const tables = await tablesHere();
    const proxy = ending(await startTcpProxy({ target: server.port }));
    const told: string[] = [];
    const note = (_message: unknown, name: string | symbol) => told.push(String(name));
    for (const event of ['connected', 'disconnected', 'reset']) {
      subscribe(`ashlar:store:${event}`, note);
      onTestFinished(() => void unsubscribe(`ashlar:store:${event}`, note));
    }
    const until = (event: string) =>
      eventually(
        async () => {
          if (!told.includes(`ashlar:store:${event}`)) throw new Error(`there was no ${event}`);
        },
        { withinMs },
      );
    const connectionString = server.url.replace(`:${server.port}/`, `:${proxy.port}/`);
    const store = tables.store({}, { connectionString, connectionTimeoutMillis: 1_000 });
    await using mirror = new Mirror(store, '');
    await store.set('key', value);
    await hears(mirror, 'key');
    proxy.stall();
    await until('disconnected');
    expect(store.snapshot().state).toBe('disconnected');
    await tables.store().set('meanwhile', value);
    proxy.resume();
    await hears(mirror, 'meanwhile');
    expect(mirror.resets).toBeGreaterThan(0);
    await until('reset');
    await until('connected');
    expect(store.snapshot()).toMatchObject({ backend: 'postgres', state: 'connected', watches: 1 });
  });

  it('give their connection back, and end with the store while the server is gone', async () => {
    const tables = await tablesHere();
    const proxy = ending(await startTcpProxy({ target: server.port }));
    const connectionString = server.url.replace(`:${server.port}/`, `:${proxy.port}/`);
    const store = tables.store({}, { connectionString, connectionTimeoutMillis: 1_000, max: 2 });
    for (let round = 0; round < 5; round++) {
      const end = new AbortController();
      const changes = store.watch('', { signal: end.signal })[Symbol.asyncIterator]();
      await store.set('key', value);
      await changes.next();
      end.abort();
    }
    const waiting = store.watch('', { signal: new AbortController().signal })[Symbol.asyncIterator]().next();
    waiting.catch(() => {});
    await proxy.refuse();
    await store.close();
    await expect(waiting).rejects.toThrow('postgres is closed');
  });
});
