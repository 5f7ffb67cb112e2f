import { eventually, type Postgres, startPostgres, startTcpProxy, type TcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import type { PostgresStore } from '../../src/adapters/postgres.ts';
import { StoreClosedError, StoreTimeoutError, StoreUnavailableError } from '../../src/errors.ts';
import { bytes, textOf } from '../support/bytes.ts';
import { ending } from '../support/stores.ts';
import { Tables } from './tables.ts';

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}

/** No call may take longer; what the operating system or pg would wait is minutes. */
const soon = { withinMs: 20_000 };

describeWith({ own: 'postgres' }, 'what is known when PostgreSQL does not answer', () => {
  let server: Postgres;
  let proxy: TcpProxy;
  let tables: Tables;
  let store: PostgresStore;

  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    proxy = ending(await startTcpProxy({ target: server.port }));
    tables = ending(new Tables(server.url));
    store = tables.store({ timeoutMs: 1_500 }, { ...throughProxy(), connectionTimeoutMillis: 500 });
    await store.migrate();
    await store.set('key', bytes('before'));
  });

  function throughProxy(): { connectionString: string } {
    return { connectionString: server.url.replace(`:${server.port}/`, `:${proxy.port}/`) };
  }

  /** Holds the row of `key` until it is told to let go; what writes it waits meanwhile. */
  async function holdKey(): Promise<{ waiters(count: number): Promise<void>; letGo(): Promise<void> }> {
    const holder = await tables.admin.connect();
    holder.on('error', () => {});
    await holder.query('BEGIN');
    await holder.query(`SELECT FROM ${tables.table} WHERE kind = 0 AND key = 'key' FOR UPDATE`);
    const letGo = once(async () => {
      await holder.query('COMMIT');
      holder.release();
    });
    onTestFinished(letGo);
    return {
      letGo,
      waiters: count =>
        eventually(async () => {
          const waiting = await tables.sql('SELECT FROM pg_locks WHERE NOT granted');
          if (waiting.length !== count) throw new Error(`${waiting.length} wait`);
        }, soon),
    };
  }

  async function failure(attempt: Promise<unknown>): Promise<StoreUnavailableError> {
    const error = await attempt.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StoreUnavailableError);
    return error as StoreUnavailableError;
  }

  it('a reply that is lost after the commit: Unknown, and it was executed', async () => {
    const held = await holdKey();
    const writing = failure(store.set('key', bytes('after')));
    await held.waiters(1);
    proxy.stall();
    await held.letGo();
    const error = await writing;
    expect(error).toBeInstanceOf(StoreTimeoutError);
    expect(error).toMatchObject({ outcome: 'Unknown', timeoutMs: 1_500 });
    proxy.resume();
    expect(textOf(await tables.store().get('key'))).toBe('after');
  });

  it('a connection that is cut while a write waits: Unknown at once', async () => {
    const held = await holdKey();
    const patient = tables.store({ timeoutMs: 60_000 }, throughProxy());
    await patient.get('key');
    const writing = failure(patient.set('key', bytes('after')));
    await held.waiters(1);
    proxy.cut();
    expect(await writing).toMatchObject({ outcome: 'Unknown' });
    await held.letGo();
  });

  it('a session that the server ends: Unknown; a statement that it ends: NotExecuted', async () => {
    const held = await holdKey();
    const patient = tables.store({ timeoutMs: 60_000 });
    await patient.get('key');
    const ended = failure(patient.set('key', bytes('after')));
    await held.waiters(1);
    await tables.endSessions();
    expect(await ended).toMatchObject({ outcome: 'Unknown' });
    const canceled = failure(patient.set('key', bytes('after')));
    await held.waiters(1);
    await tables.sql(
      `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'`,
      [tables.table],
    );
    expect(await canceled).toMatchObject({ outcome: 'NotExecuted' });
    await held.letGo();
    expect(textOf(await patient.get('key'))).toBe('before');
  });

  it('what could not be sent, and what only reads: NotExecuted', async () => {
    await proxy.refuse();
    await failure(store.get('key')); // which learns that the old connection is gone
    expect(await failure(store.set('key', bytes('after')))).toMatchObject({ outcome: 'NotExecuted' });
    await proxy.accept();
    await store.get('key');
    proxy.stall();
    expect(await failure(store.get('key'))).toMatchObject({ outcome: 'NotExecuted' });
    expect(await failure(store.claim('name', 'a', 1_000))).toMatchObject({ outcome: 'NotExecuted' });
    expect(store.snapshot().state).toBe('disconnected');
    proxy.resume();
    await eventually(() => store.get('key'), soon);
    expect(store.snapshot().state).toBe('connected');
    expect(textOf(await store.get('key'))).toBe('before');
  });

  it('a connection that missed its deadline is not used again, and the next call ends its session', async () => {
    const application_name = `${tables.table}_one`;
    const one = tables.store({ timeoutMs: 300 }, { application_name });
    await one.get('key');
    const pids = async () =>
      (
        await tables.sql('SELECT pid FROM pg_stat_activity WHERE application_name = $1', [application_name])
      ).map(({ pid }) => pid);
    const [before] = await pids();
    const held = await holdKey();
    expect(await failure(one.set('key', bytes('after')))).toMatchObject({ outcome: 'Unknown' });
    await one.get('key');
    await held.letGo();
    await eventually(async () => {
      if ((await pids()).includes(before)) throw new Error('it is still there');
    }, soon);
    expect(textOf(await one.get('key'))).toBe('before');
  });

  it('a server that stands still, is killed, or comes back: no call hangs, and it goes on', async () => {
    server.pause();
    try {
      expect(await failure(store.get('key'))).toMatchObject({ outcome: 'NotExecuted' });
      await failure(store.set('key', bytes('1')));
    } finally {
      server.resume();
    }
    await eventually(() => store.get('key'), soon);
    await server.kill();
    expect(await failure(store.get('key'))).toMatchObject({ outcome: 'NotExecuted' });
    await server.restart();
    await eventually(() => store.get('key'), soon);
  });

  it('serialization failures and deadlocks are tried again', async () => {
    const strict = tables.store(
      { timeoutMs: 20_000 },
      { options: '-c default_transaction_isolation=serializable', max: 4 },
    );
    await strict.set('count', bytes('0'));
    const increment = async () => {
      for (;;) {
        const entry = (await strict.get('count'))!;
        const next = bytes(String(Number(textOf(entry)) + 1));
        const done = await strict.set('count', next, { ifVersion: entry.version }).then(
          () => true,
          error => {
            if (error instanceof StoreUnavailableError) throw error;
            return false;
          },
        );
        if (done) return;
      }
    };
    await Promise.all(Array.from({ length: 20 }, increment));
    expect(textOf(await strict.get('count'))).toBe('20');
  });

  it('closing rejects what is under way, and says what is known', async () => {
    const held = await holdKey();
    const patient = tables.store({ timeoutMs: 60_000 });
    await patient.get('key');
    const writing = patient.set('key', bytes('after')).catch((error: unknown) => error);
    await held.waiters(1);
    await patient.close();
    expect(await writing).toBeInstanceOf(StoreClosedError);
    expect(await writing).toMatchObject({ outcome: 'Unknown' });
    await held.letGo();
  });
});
