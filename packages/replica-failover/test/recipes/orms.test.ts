import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postgresServers } from '../../src/adapters/postgres.ts';
import {
  EndedTransactionError,
  OutcomeUnknownError,
  ReplicaSet,
  Session,
  withSession,
} from '../../src/index.ts';
import { endShared, type PostgresSubject, postgresSubject } from '../postgres/subject.ts';
import { type Orm, orms } from './orms.ts';

afterAll(endShared);

describe.each(Object.entries(orms))('%s over the client of a call', (_, open) => {
  let orm: Orm;
  let subject: PostgresSubject;
  let set: ReplicaSet<pg.Client>;
  beforeAll(async () => {
    orm = await open();
  });
  afterAll(() => orm?.close());
  beforeEach(async () => {
    subject = await postgresSubject();
    set = await subject.connect({ maxConnections: 3 });
  });
  afterEach(() => subject[Symbol.asyncDispose]());
  const pauseAll = async () => {
    for (const id of subject.ids.slice(1)) await subject.pauseReplay(id);
  };

  it('reads what its session wrote, while every replica is behind', async () => {
    await pauseAll();
    await withSession(async () => {
      await set.write(db => orm.put(db, 'a', '1'));
      expect(await set.read(db => orm.get(db, 'a'))).toBe('1');
      await set.transaction(db => orm.put(db, 'a', '2'));
      expect(await set.read(db => orm.get(db, 'a'))).toBe('2');
    });
    expect(await set.read(db => orm.get(db, 'a'), { consistency: 'eventual' })).toBeUndefined();
    expect(await set.read(db => orm.get(db, 'a'), { consistency: 'strong' })).toBe('2');
  });

  it('keeps calls apart that run side by side', async () => {
    await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        withSession(async () => {
          await set.transaction(db => orm.put(db, `side ${n}`, String(n)));
          expect(await set.read(db => orm.get(db, `side ${n}`))).toBe(String(n));
        }),
      ),
    );
  });

  it('a transaction is undone whole when its work rejects', async () => {
    const failing = set.transaction(async db => {
      await orm.put(db, 'a', '1');
      throw new RangeError('mine');
    });
    await expect(failing).rejects.toThrow(RangeError);
    expect(await set.read(db => orm.get(db, 'a'))).toBeUndefined();
  });

  it('has its own transactions in a write', async () => {
    const pairs = [
      ['a', '1'],
      ['b', '2'],
    ] as const;
    const session = new Session();
    await set.write(db => orm.transaction(db, pairs), { session });
    expect(await set.read(db => orm.get(db, 'b'), { session })).toBe('2');
  });

  it('is told that its own transaction would end that of the set', async () => {
    let runs = 0;
    const ending = set.transaction(async db => {
      runs++;
      await orm.transaction(db, [['a', '1']]);
      await orm.put(db, 'b', '2');
    });
    await expect(ending).rejects.toThrow(EndedTransactionError);
    await expect(ending).rejects.toMatchObject({ outcome: 'Unknown' });
    const lost = set.transaction(async db => {
      runs++;
      await orm.transaction(db, [['a', '2']]);
      await db.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => {});
      await orm.put(db, 'b', '3');
    });
    await expect(lost).rejects.toThrow(EndedTransactionError);
    expect(runs).toBe(2);
  });

  it('a read runs elsewhere when its server ends, whatever the error is wrapped in', async () => {
    await set.write(db => orm.put(db, 'a', '1'));
    let runs = 0;
    const read = set.read(async db => {
      if (runs++ === 0) await db.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => {});
      return orm.get(db, 'a');
    });
    expect(await read).toBe('1');
    expect(runs).toBe(2);
  });

  it('a write is Unknown when its server ends, whatever the error is wrapped in', async () => {
    const writing = set.write(async db => {
      await orm.put(db, 'a', '1');
      await db.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => {});
      await orm.put(db, 'a', '2');
    });
    await expect(writing).rejects.toThrow(OutcomeUnknownError);
  });

  it.each(['write', 'transaction'] as const)(
    'a %s runs again when a server refuses it that is no primary, whatever the error is wrapped in',
    async method => {
      let runs = 0;
      let made = 0;
      const [id] = subject.ids;
      await using readOnly = await ReplicaSet.connect({
        maxConnections: 1,
        servers: postgresServers({
          servers: [{ id: id!, connection: subject.urlOf(id!) }],
          // Two are made to see what they are, the third watches, and the fourth gets the work
          newClient: connectionString =>
            new pg.Client({ connectionString, options: `-c default_transaction_read_only=${made++ === 3}` }),
        }),
      });
      await readOnly[method](async db => {
        if (++runs > 1 && method === 'write') await db.query('SET default_transaction_read_only = off');
        await orm.put(db, 'a', method);
      });
      expect(runs).toBe(2);
      expect(await set.read(db => orm.get(db, 'a'))).toBe(method);
    },
  );
});
