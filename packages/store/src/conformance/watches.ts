import assert from 'node:assert/strict';
import { InvalidOptionError, seededRandom } from '@ashlar/core';
import { StoreClosedError } from '../errors.ts';
import type { Change, Store } from '../store.ts';
import { maxPendingKeys } from '../watches/watcher.ts';
import { type Subject, type Tests, until } from './subject.ts';
import { bytes, Mirror, textOf, times } from './tools.ts';

export const watchTests: Tests = {
  'a watch yields what changes under its prefix after the call': async subject => {
    const { store } = subject;
    await store.set('a:before', bytes(''));
    const { changes, end } = watching(store, 'a:');
    store.set('a:1', bytes('1')).catch(() => {});
    assert.deepEqual(await next(subject, changes, 'a:1'), ['put', '1']);
    await store.set('b:1', bytes(''));
    await store.set('a', bytes(''));
    await store.delete('a:before');
    assert.deepEqual(await next(subject, changes, 'a:before'), ['delete', undefined]);
    await store.set('a:1', bytes('2'));
    assert.deepEqual(await next(subject, changes, 'a:1'), ['put', '2']);
    await store.setMany([['a:2', bytes('3')]]);
    assert.deepEqual(await next(subject, changes, 'a:2'), ['put', '3']);
    end();
  },
  'a watch does not yield a refused write': async subject => {
    const { store } = subject;
    await store.set('key', bytes('1'));
    const { changes, end } = watching(store, '');
    await store.set('key', bytes('2'), { ifVersion: 'absent' }).catch(() => {});
    await store.delete('key', { ifVersion: 'none' });
    await store.delete('none');
    await store.claim('key', 'holder', 1_000);
    await store.set('last', bytes('3'));
    assert.deepEqual(await next(subject, changes, 'last'), ['put', '3']);
    end();
  },
  'a watch yields an expiry as a delete': async subject => {
    const { store } = subject;
    await store.set('before', bytes('1'), { ttlMs: 150 });
    await using mirror = new Mirror(store, '');
    await store.set('key', bytes('1'), { ttlMs: 150 });
    await store.setMany(
      times(50, i => [`many-${i}`, bytes('')]),
      { ttlMs: 150 },
    );
    await store.set('stays', bytes(''));
    const deleted = () => mirror.heard.filter(({ type }) => type === 'delete').length;
    await until(subject, () => deleted() >= 52);
    await mirror.agrees(subject, store, '');
    assert.deepEqual([...mirror.state.keys()], ['stays']);
    assert.equal(mirror.resets, 0);
  },
  'watch, then list, then reading leaves no gap': async subject => {
    const { store } = subject;
    for (let round = 0; round < 10; round++) {
      const prefix = `${round}:`;
      const writing = times(30, i => store.set(`${prefix}${i}`, bytes(String(i))));
      await using mirror = new Mirror(store, prefix);
      await Promise.all(writing);
      await mirror.agrees(subject, store, prefix);
    }
  },
  'the last state is never missed while many write': async subject => {
    const { store } = subject;
    await using mirror = new Mirror(store, 'k:');
    await using other = new Mirror(store, 'k:1');
    const random = seededRandom(5);
    await Promise.all(
      times(8, async () => {
        for (let i = 0; i < 60; i++) {
          const key = `k:${Math.floor(random() * 20)}`;
          if (random() < 0.3) await store.delete(key);
          else await store.set(key, bytes(String(random())), random() < 0.2 ? { ttlMs: 20 } : {});
        }
      }),
    );
    await Promise.all(times(20, i => store.set(`k:${i}`, bytes('last'), i % 5 === 0 ? { ttlMs: 20 } : {})));
    await until(subject, async () => (await store.get('k:15')) === undefined);
    await mirror.agrees(subject, store, 'k:');
    await other.agrees(subject, store, 'k:1');
  },
  'a reader that falls behind gets a reset, or every change': async subject => {
    const { store } = subject;
    const count = maxPendingKeys + 500;
    const { changes, end } = watching(store, '');
    await store.setMany(times(count, i => [`key-${i}`, bytes('')]));
    await store.set('last', bytes(''));
    const heard = new Set<string>();
    let isReset = false;
    for (; !isReset && heard.size <= count; ) {
      const { value } = await changes.next();
      if (value.type === 'reset') isReset = true;
      if (value.type === 'put') heard.add(value.entry.key);
    }
    assert(isReset || heard.size > count);
    end();
    await using mirror = new Mirror(store, '');
    await mirror.agrees(subject, store, '');
  },
  'a watch ends with its signal, before, while and after it is read': async ({ store }) => {
    const done = { done: true, value: undefined };
    const before = watching(store, '');
    before.end();
    assert.deepEqual(await before.changes.next(), done);
    const waiting = watching(store, '');
    const pending = waiting.changes.next();
    waiting.end();
    assert.deepEqual(await pending, done);
    assert.deepEqual(await waiting.changes.next(), done);
    const aborted = store.watch('', { signal: AbortSignal.abort() });
    for await (const _ of aborted) assert.fail('it was aborted');
    const left = watching(store, '');
    await left.changes.return?.();
    assert.deepEqual(await left.changes.next(), done);
    await store.set('key', bytes(''));
  },
  'a watch without a signal is refused': async ({ store }) => {
    assert.throws(() => store.watch('', {} as never), InvalidOptionError);
  },
  'a watch of a closed store throws StoreClosedError': async ({ store }) => {
    const { changes } = watching(store, '');
    const pending = changes.next();
    pending.catch(() => {});
    await store[Symbol.asyncDispose]();
    await assert.rejects(pending, StoreClosedError);
    assert.deepEqual(await changes.next(), { done: true, value: undefined });
    await assert.rejects(watching(store, '').changes.next(), StoreClosedError);
  },
};

function watching(store: Store, prefix: string): { changes: AsyncIterator<Change>; end(): void } {
  const controller = new AbortController();
  const changes = store.watch(prefix, { signal: controller.signal })[Symbol.asyncIterator]();
  return { changes, end: () => controller.abort() };
}

/** The next change of this key, in the order of the watch; others that changed before may come again. */
async function next(
  subject: Subject,
  changes: AsyncIterator<Change>,
  key: string,
): Promise<[type: string, text: string | undefined]> {
  for (;;) {
    let result: IteratorResult<Change> | undefined;
    const asked = changes.next().then(next => {
      result = next;
    });
    await Promise.race([asked, until(subject, () => result !== undefined)]);
    assert(result?.done === false, 'the watch has ended');
    const change = result.value as Change;
    assert(change.type !== 'reset', 'nothing was disturbed');
    const about = change.type === 'put' ? change.entry.key : change.key;
    if (about === key) return [change.type, change.type === 'put' ? textOf(change.entry) : undefined];
    assert(about.startsWith('a:'), `${about} did not change`);
  }
}
