import { EventEmitter, once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { currentSession, type ReplicaSet, type Session, withSession } from '../../src/index.ts';
import { endShared, type PostgresSubject, postgresSubject } from '../postgres/subject.ts';

afterAll(endShared);

describe('within withSession, while every replica is behind', () => {
  let subject: PostgresSubject;
  let set: ReplicaSet<pg.Client>;
  beforeEach(async () => {
    subject = await postgresSubject();
    set = await subject.connect({ maxConnections: 2, reads: { catchUpMs: 0 } });
    for (const id of subject.ids.slice(1)) await subject.pauseReplay(id);
  });
  afterEach(() => subject[Symbol.asyncDispose]());
  const put = (key: string, value: string) => set.write(db => subject.put(db, key, value));
  const get = (key: string) => set.read(db => subject.get(db, key));

  it.each<[string, (read: () => Promise<string | undefined>) => Promise<string | undefined>]>([
    [
      'an await chain',
      async read => {
        await Promise.resolve();
        await sleep(1);
        return read();
      },
    ],
    ['a timer', read => new Promise((resolve, reject) => setTimeout(() => read().then(resolve, reject), 1))],
    [
      'a microtask',
      read => new Promise((resolve, reject) => queueMicrotask(() => read().then(resolve, reject))),
    ],
    [
      'an event of its own',
      async read => {
        const emitter = new EventEmitter();
        const heard = once(emitter, 'read').then(read);
        emitter.emit('read');
        return heard;
      },
    ],
    [
      'a stream with backpressure',
      async read => {
        const values: (string | undefined)[] = [];
        const source = async function* () {
          for (let n = 0; n < 20; n++) yield { value: await read(), filler: '.'.repeat(10_000) };
        };
        const sink = new Writable({
          objectMode: true,
          highWaterMark: 1,
          write: ({ value }, _encoding, done) => {
            values.push(value);
            setTimeout(done, 1);
          },
        });
        await pipeline(Readable.from(source(), { highWaterMark: 1 }), sink);
        return values.find(value => value !== values[0]) ?? values[0];
      },
    ],
    [
      'all at once',
      async read =>
        (await Promise.all(Array.from({ length: 10 }, read))).reduce((a, b) => (a === b ? a : 'differ')),
    ],
  ])('a read after a write sees it through %s', async (_, through) => {
    const both = await Promise.all(
      ['a', 'b'].map(key => withSession(() => put(key, key).then(() => through(() => get(key))))),
    );
    expect(both).toEqual(['a', 'b']);
  });

  it('work has the session of its own call, though it has waited for a connection of another', async () => {
    const seen = await Promise.all(
      Array.from({ length: 20 }, () =>
        withSession(session =>
          set.write(async db => {
            await db.query('SELECT 1');
            return currentSession() === session;
          }),
        ),
      ),
    );
    expect(new Set(seen)).toEqual(new Set([true]));
  });

  it('a connection does not keep the context of the call that has opened it', async () => {
    const inCallback = (db: pg.Client) =>
      new Promise<Session | undefined>(resolve => db.query('SELECT 1', () => resolve(currentSession())));
    const first = await withSession(async session => {
      await set.write(db => db.query('SELECT 1'));
      return session;
    });
    // Its callbacks run as the connection, which is nobody's: what they read without a session, the primary reads
    const seen = await withSession(() => set.write(inCallback));
    expect(seen === first).toBe(false);
    expect(seen).toBeUndefined();
  });
});
