import type pg from 'pg';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ReplicaSet, Session } from '../../src/index.ts';
import { SessionCookie } from '../../src/sessions/cookie.ts';
import { endShared, type PostgresSubject, postgresSubject } from '../postgres/subject.ts';
import { frameworks, type Served } from './frameworks.ts';

afterAll(endShared);

const cookie = new SessionCookie({ secrets: ['a secret of this test'] });

describe.each(Object.entries(frameworks))('sessions in %s', (_, serve) => {
  let subject: PostgresSubject;
  let set: ReplicaSet<pg.Client>;
  let served: Served;
  beforeEach(async () => {
    subject = await postgresSubject();
    set = await subject.connect({ name: 'shop', maxConnections: 5, reads: { catchUpMs: 0 } });
    served = await serve(
      {
        put: async (key, value) => void (await set.write(db => subject.put(db, key, value))),
        get: key => set.read(db => subject.get(db, key)),
      },
      cookie,
    );
  });
  afterEach(async () => {
    await served?.[Symbol.asyncDispose]();
    await subject[Symbol.asyncDispose]();
  });

  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(served.origin + path, init);
    const [sent] = response.headers.getSetCookie().filter(each => each.startsWith('ashlar-session='));
    return { status: response.status, body: await response.json(), sent, cookie: sent?.split(';')[0] };
  };
  const save = (key: string, value: string, headers = {}) =>
    ask('/item', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ key, value, filler: '.'.repeat(80_000) }),
    });
  const pauseAll = async () => {
    for (const id of subject.ids.slice(1)) await subject.pauseReplay(id);
  };

  it('a request reads what it wrote, and so does the next one with its cookie', async () => {
    await pauseAll();
    const saved = await save('a', '1');
    expect(saved.body).toEqual({ value: '1' });
    expect(saved.sent).toMatch(
      /^ashlar-session=1~shop=\w+\.\w+\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
    );
    const headers = { cookie: `theme=dark; ${saved.cookie}` };
    expect(await ask('/item/a', { headers })).toMatchObject({ body: { value: '1' }, sent: undefined });
    // Somebody else is served by a replica, which lags
    expect((await ask('/item/a')).body).toEqual({});
  });

  it('requests side by side have each their own session', async () => {
    await pauseAll();
    const all = await Promise.all(Array.from({ length: 20 }, (_, n) => save(`side ${n}`, String(n))));
    expect(all.map(({ body }) => body)).toEqual(all.map((_, n) => ({ value: String(n) })));
    const cookies = all.map(each => each.cookie);
    const later = await Promise.all(
      cookies.map((text, n) => ask(`/item/side ${n}`, text ? { headers: { cookie: text } } : {})),
    );
    expect(later.map(({ body }) => body)).toEqual(all.map(({ body }) => body));
  });

  it('a user whose writes were lost is told once, and goes on', async () => {
    const session = new Session();
    // Of an earlier term whose end is not known
    session.advance('shop', { term: 0, offset: 5n });
    const [headers] = [{ cookie: cookie.header(session).split(';')[0]! }];
    const told = await ask('/item/a', { headers });
    expect(told).toMatchObject({ status: 409, body: { error: 'what you saved last is lost' } });
    const next = await ask('/item/a', { headers: { cookie: told.cookie! } });
    expect(next).toMatchObject({ status: 200, body: {} });
  });

  it('a cookie that nobody has signed is that of a new session', async () => {
    const forged = new Session();
    forged.advance('shop', { term: 1_000, offset: 1n });
    const other = new SessionCookie({ secrets: ['another secret than ours'] });
    for (const text of [
      other.header(forged),
      `ashlar-session=${forged.serialize()}`,
      'ashlar-session=',
      'x',
    ]) {
      expect(await ask('/item/a', { headers: { cookie: text.split(';')[0]! } })).toMatchObject({
        status: 200,
      });
    }
  });
});
