import assert from 'node:assert/strict';
import { TierClosedError } from '../../tiers/errors.ts';
import {
  entryOf,
  fillOne,
  leaseOf,
  longMs,
  type ObservedSession,
  readText,
  type TierTests,
  write,
} from './subject.ts';

const hasEvent = ({ events }: ObservedSession, what: string) => events.some(other => other.what === what);

export const feedTests: TierTests = {
  'others are notified of writes, invalidations and tags; the session itself is not': async scene => {
    const [a, b] = await scene.pair();
    await write(a.session, 'written', entryOf('1'));
    await a.session.invalidate(['deleted', 'too']);
    await a.session.announce(['announced'], longMs);
    await a.session.invalidateTags(['tag']);
    const expected = ['written', 'deleted', 'too', 'announced', 'tag'];
    await scene.until(() => expected.every(what => hasEvent(b, what)));
    assert.deepEqual(
      b.events.map(({ what }) => what),
      expected,
    );
    assert.equal(b.events.at(-1)?.kind, 'tag');
    await write(b.session, 'back', entryOf('1'));
    await scene.until(() => hasEvent(a, 'back'));
    assert.deepEqual(
      a.events.map(({ what }) => what),
      ['back'],
    );
  },
  'a clear is a reset for the others': async scene => {
    const [a, b] = await scene.pair();
    await a.session.clear();
    await scene.until(() => b.events.length > 0);
    assert.deepEqual(b.events, [{ kind: 'reset', what: 'cleared' }]);
    assert.deepEqual(a.events, []);
  },
  'a fill notifies no session': async scene => {
    const [a, b] = await scene.pair();
    const lease = await leaseOf(a.session, 'key');
    assert.equal(await fillOne(a.session, 'key', lease, entryOf('1')), true);
    await a.session.invalidate(['last']);
    await scene.until(() => hasEvent(b, 'last'));
    assert.equal(hasEvent(b, 'key'), false);
  },
  'a notice comes after its change is visible': async scene => {
    const [a, b] = await scene.pair();
    const seen: Promise<string | undefined>[] = [];
    b.onEvent = ({ kind }) => kind === 'key' && seen.push(readText(b.session, 'key'));
    await write(a.session, 'key', entryOf('0'));
    for (let i = 1; i <= 20; i++) {
      if (i % 2 === 0) await write(a.session, 'key', entryOf(String(i)));
      else await a.session.invalidate(['key']);
      await scene.until(() => seen.length === i + 1);
      assert.equal(await seen.at(-1), i % 2 === 0 ? String(i) : undefined);
    }
  },
  'all sessions are notified of everything in one order': async scene => {
    const sessions = [...(await scene.pair()), await scene.open('other')];
    const { session: writer } = await scene.open();
    const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`);
    await Promise.all(keys.map(key => writer.invalidate([key])));
    await scene.until(() => sessions.every(({ events }) => events.length === keys.length));
    const [first, ...more] = sessions.map(({ events }) => events.map(({ what }) => what));
    assert.deepEqual(new Set(first), new Set(keys));
    for (const other of more) assert.deepEqual(other, first);
  },
  'nothing is confirmed without its notice': async scene => {
    const [a, b] = await scene.pair();
    for (let i = 0; i < 50; i++) {
      await a.session.invalidate([`key-${i}`]);
      const resolvedAt = scene.now();
      const limit = resolvedAt + b.session.boundMs;
      assert(hasEvent(b, `key-${i}`) || b.session.confirmedUntil <= limit, 'it may serve beyond the bound');
      await scene.until(() => hasEvent(b, `key-${i}`) || b.session.confirmedUntil > limit);
      assert(hasEvent(b, `key-${i}`), 'confirmed without its notice');
    }
  },
  'confirmation moves on while nothing happens': async scene => {
    const { session } = await scene.open();
    await scene.pass(3 * session.boundMs);
    await scene.until(() => session.confirmedUntil > scene.now());
  },
  'a closed session refuses calls and receives no more; the others go on': async scene => {
    const [a, b] = await scene.pair();
    await write(a.session, 'key', entryOf('1'));
    await scene.until(() => hasEvent(b, 'key'));
    await b.session.close();
    await b.session.close();
    const count = b.events.length;
    await a.session.invalidate(['more']);
    assert.equal(b.events.length, count);
    const calls = [
      () => b.session.read(['key']),
      () => b.session.fill([{ key: 'key', lease: 'x', entry: entryOf('1') }]),
      () => write(b.session, 'key', entryOf('1')),
      () => b.session.invalidate(['key']),
      () => b.session.release([{ key: 'key', lease: 'x' }]),
      () => b.session.invalidateTags(['tag']),
      () => b.session.clear(),
    ];
    for (const call of calls) await assert.rejects(call, TierClosedError);
    assert.equal(await readText(a.session, 'key'), '1');
    assert.doesNotThrow(() => JSON.stringify([a.session.snapshot(), b.session.snapshot()]));
  },
};
