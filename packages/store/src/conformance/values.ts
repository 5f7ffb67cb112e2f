import assert from 'node:assert/strict';
import { InvalidOptionError } from '@ashlar/core';
import { StoreClosedError, ValueTooLargeError, VersionConflictError } from '../errors.ts';
import { maxValueBytes } from '../limits.ts';
import type { Store } from '../store.ts';
import type { Tests } from './subject.ts';
import { all, bytes, textOf, times } from './tools.ts';

export const valueTests: Tests = {
  'a value comes back with the version of its write': async ({ store }) => {
    assert.equal(await store.get('a'), undefined);
    const version = await store.set('a', bytes('one'));
    const entry = await store.get('a');
    assert.equal(entry?.key, 'a');
    assert.equal(textOf(entry), 'one');
    assert.equal(entry?.version, version);
    assert.equal(await store.get('b'), undefined);
  },
  'every byte comes back, and so does nothing at all': async ({ store }) => {
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    for (const value of [every, new Uint8Array(0), every.subarray(13, 17), Buffer.from('a buffer')]) {
      await store.set('key', value);
      const found = (await store.get('key'))?.value;
      assert.equal(found?.constructor, Uint8Array);
      assert.deepEqual(found, new Uint8Array(value));
    }
  },
  'bytes are copied on the way in and out': async ({ store }) => {
    const given = bytes('abc');
    const writing = store.set('key', given);
    given.fill(0);
    await writing;
    const taken = await store.get('key');
    assert.equal(textOf(taken), 'abc');
    taken?.value.fill(0);
    assert.equal(textOf(await store.get('key')), 'abc');
  },
  'every write has a version of its own, also of equal bytes and after a delete': async ({ store }) => {
    const seen: string[] = [];
    for (let i = 0; i < 5; i++) {
      seen.push(await store.set('key', bytes('same')), await store.set('key', bytes('same')));
      await store.delete('key');
      await store.setMany([['key', bytes('same')]]);
      seen.push((await store.get('key'))!.version);
    }
    assert.equal(new Set(seen).size, seen.length);
  },
  'set with a version replaces that version only': async ({ store }) => {
    const first = await store.set('key', bytes('1'));
    const second = await store.set('key', bytes('2'), { ifVersion: first });
    await assert.rejects(store.set('key', bytes('3'), { ifVersion: first }), error => {
      assert(error instanceof VersionConflictError);
      const { key, expected, found, outcome } = error;
      assert.deepEqual([key, expected, found, outcome], ['key', first, second, 'NotExecuted']);
      return true;
    });
    assert.equal(textOf(await store.get('key')), '2');
    await store.delete('key');
    await assert.rejects(
      store.set('key', bytes('4'), { ifVersion: second }),
      (error: VersionConflictError) => error.found === 'absent',
    );
    assert.equal(await store.get('key'), undefined);
  },
  'set of what must be absent only creates': async ({ store }) => {
    const version = await store.set('key', bytes('1'), { ifVersion: 'absent' });
    await assert.rejects(store.set('key', bytes('2'), { ifVersion: 'absent' }), error => {
      assert(error instanceof VersionConflictError);
      assert.equal(error.found, version);
      return true;
    });
    assert.equal((await store.get('key'))?.version, version);
    await store.delete('key');
    await store.set('key', bytes('3'), { ifVersion: 'absent' });
  },
  'delete returns whether it did, and takes a version': async ({ store }) => {
    assert.equal(await store.delete('key'), false);
    const first = await store.set('key', bytes('1'));
    const second = await store.set('key', bytes('2'));
    assert.equal(await store.delete('key', { ifVersion: first }), false);
    assert.equal(textOf(await store.get('key')), '2');
    assert.equal(await store.delete('key', { ifVersion: second }), true);
    assert.equal(await store.delete('key', { ifVersion: second }), false);
    assert.equal(await store.get('key'), undefined);
    await store.set('key', bytes('3'));
    assert.equal(await store.delete('key'), true);
    assert.deepEqual(await all(store.list('')), []);
  },
  'a version is any text, also one that no write has had': async ({ store }) => {
    const version = await store.set('key', bytes('1'));
    const strangers = ['', '\0', `${version}\0`, `${version} `, '\ud800', "'", 'x'.repeat(10_000)];
    for (const ifVersion of strangers) {
      await assert.rejects(store.set('key', bytes('2'), { ifVersion }), error => {
        assert(error instanceof VersionConflictError);
        assert.deepEqual([error.expected, error.found], [ifVersion, version]);
        return true;
      });
      assert.equal(await store.delete('key', { ifVersion }), false);
    }
    assert.equal(textOf(await store.get('key')), '1');
  },
  'of many that create a key, one succeeds': async ({ store }) => {
    const attempts = times(100, i => store.set('key', bytes(String(i)), { ifVersion: 'absent' }));
    const done = (await Promise.allSettled(attempts)).map(({ status }) => status);
    const winner = done.indexOf('fulfilled');
    assert.equal(done.lastIndexOf('fulfilled'), winner);
    assert.equal(textOf(await store.get('key')), String(winner));
  },
  'fifty writers count without losing one': async ({ store }) => {
    await store.set('count', bytes('0'));
    await Promise.all(times(50, () => increment(store, 'count', 3)));
    assert.equal(textOf(await store.get('count')), '150');
  },
  'the largest value is kept, and a larger one refused': async ({ store }) => {
    const largest = new Uint8Array(maxValueBytes).fill(7);
    await store.set('key', largest);
    const found = (await store.get('key'))?.value;
    assert.equal(Buffer.compare(found!, largest), 0);
    const tooLarge = new Uint8Array(maxValueBytes + 1);
    for (const attempt of [store.set('key', tooLarge), store.setMany([['key', tooLarge]])]) {
      await assert.rejects(attempt, error => {
        assert(error instanceof ValueTooLargeError);
        assert.deepEqual([error.key, error.bytes], ['key', maxValueBytes + 1]);
        return true;
      });
    }
  },
  'what is no value, or no option, is refused': async ({ store }) => {
    for (const value of ['text', undefined, null, [1], new ArrayBuffer(1)]) {
      await assert.rejects(store.set('key', value as never), InvalidOptionError);
    }
    await assert.rejects(store.set('key', bytes(''), { ttl: 5 } as object), InvalidOptionError);
    await assert.rejects(store.set('key', bytes(''), { ifVersion: 5 as never }), InvalidOptionError);
    await assert.rejects(store.delete('key', { version: 'x' } as object), InvalidOptionError);
    assert.equal(await store.get('key'), undefined);
  },
  'a closed store refuses calls, and closes again': async ({ store }) => {
    await store.set('key', bytes('1'));
    await store[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    for (const attempt of [
      store.get('key'),
      store.set('key', bytes('2')),
      store.claim('name', 'holder', 1_000),
      all(store.list('')),
    ]) {
      await assert.rejects(attempt, StoreClosedError);
    }
  },
};

async function increment(store: Store, key: string, count: number): Promise<void> {
  for (let done = 0; done < count; ) {
    const entry = (await store.get(key))!;
    const next = bytes(String(Number(textOf(entry)) + 1));
    try {
      await store.set(key, next, { ifVersion: entry.version });
      done++;
    } catch (error) {
      if (!(error instanceof VersionConflictError)) throw error;
    }
  }
}
