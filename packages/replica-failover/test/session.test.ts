import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { currentSession, maxSessionLength, Session, withSession } from '../src/index.ts';

const position = fc.record({
  term: fc.integer({ min: 0, max: 2 ** 40 }),
  offset: fc.bigInt({ min: 0n, max: 2n ** 64n }),
});
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter(text => {
  try {
    return encodeURIComponent(text) !== '';
  } catch {
    return false;
  }
});

describe('Session', () => {
  it('comes back from its text as it was', () => {
    const entries = fc.uniqueArray(fc.tuple(name, position), { maxLength: 10, selector: ([id]) => id });
    fc.assert(
      fc.property(entries, all => {
        const session = new Session();
        for (const [id, at] of all) session.advance(id, at);
        const again = new Session(session.serialize());
        for (const [id] of all) expect(again.position(id)).toEqual(session.position(id));
        expect(again.serialize()).toBe(session.serialize());
      }),
    );
  });

  it('is text for a header and a cookie, of bounded length', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, position), { maxLength: 300 }), all => {
        const session = new Session();
        for (const [id, at] of all) session.advance(id, at);
        expect(session.serialize()).toMatch(/^[\w~=.%+!-]*$/);
        expect(session.serialize().length).toBeLessThanOrEqual(maxSessionLength);
      }),
      { numRuns: 30 },
    );
  });

  it('says unknown of what it had to forget, never that it has seen nothing', () => {
    const session = new Session();
    for (let id = 0; id < 500; id++) session.advance(`set-${id}`, { term: 1, offset: 1n });
    expect(session.position('set-20')).toEqual({ term: 1, offset: 1n });
    // It may have been among the forgotten, at a later place
    expect(session.position('set-499')).toBe('unknown');
    expect(session.position('set-0')).toBe('unknown');
    expect(new Session(session.serialize()).position('set-0')).toBe('unknown');
    session.advance('set-0', { term: 1, offset: 2n });
    expect(session.position('set-0')).toBe('unknown');
  });

  it('takes a text that is too long for one that has forgotten everything', () => {
    expect(new Session('x'.repeat(5_000)).position('a')).toBe('unknown');
  });

  it('keeps the later position', () => {
    const session = new Session();
    session.advance('a', { term: 2, offset: 5n });
    session.advance('a', { term: 1, offset: 9n });
    session.advance('a', { term: 2, offset: 4n });
    expect(session.position('a')).toEqual({ term: 2, offset: 5n });
  });

  it('stays unknown once it was forgotten', () => {
    const session = new Session();
    session.advance('a', { term: 1, offset: 1n });
    session.forget('a');
    session.advance('a', { term: 1, offset: 2n });
    expect(session.position('a')).toBe('unknown');
    expect(new Session(session.serialize()).position('a')).toBe('unknown');
    expect(session.position('b')).toBeUndefined();
  });

  it.each(['', '2~a=1.1', '1~a', '1~a=1', '1~a=.1', '1~%=1.1', '1~a=1.1~', '1~+~a=1.1', '1~a=zzzzzzzzzzz.1'])(
    'takes %j for a session that has forgotten everything',
    text => {
      expect(new Session(text).position('a')).toBe('unknown');
      expect(new Session(new Session(text).serialize()).position('a')).toBe('unknown');
    },
  );
});

describe('withSession', () => {
  it('refuses what is no function, and what is no session', () => {
    expect(() => withSession('x' as never)).toThrow(
      '`work` must be a function, got "x"; write `withSession(() =>',
    );
    expect(() => withSession(() => {}, 'x' as never)).toThrow('`session` must be a Session, got "x"');
  });

  it('is the session of everything within it, each its own', async () => {
    expect(currentSession()).toBeUndefined();
    await Promise.all(
      [1, 2].map(() =>
        withSession(async session => {
          await Promise.resolve();
          expect(currentSession()).toBe(session);
        }),
      ),
    );
    expect(currentSession()).toBeUndefined();
  });
});

it('a session is that of all installed copies of the package', async () => {
  vi.resetModules();
  const other = await import('../src/index.ts');
  expect(other.withSession).not.toBe(withSession);
  const set = await other.ReplicaSet.connect({ servers: other.memoryCluster().servers() });
  const before = new Session().serialize();
  await withSession(async session => {
    expect(other.currentSession()).toBe(session);
    await set.write(db => db.set('key', 'value'));
    expect(session.serialize()).not.toBe(before);
  });
  await set.close();
});
