import assert from 'node:assert/strict';
import { InvalidKeyError } from '../errors.ts';
import { maxKeyBytes } from '../limits.ts';
import type { Tests } from './subject.ts';
import { bytes, byUtf8, keysOf, textOf, times } from './tools.ts';

/** Every byte, what means something to some backend, and forms that look alike. */
export const oddKeys: readonly string[] = [
  '',
  ...times(256, code => `byte ${String.fromCharCode(code)}`),
  ...['%', '_', '\\', '*', '?', '[a-z]', '{tag}', '}{', "'; --", '"', '$1', '\r\n$5', '(', '[', '+', '-'],
  ...['e\u0301', '\u00e9', '\ufeff', '\uffff', '\ud7ff', '\ue000', '😀', '\u{10ffff}', 'İ', 'ß', '\u200d'],
  ...['0', '-0', '00', '1e3', 'null', 'undefined', '__proto__', 'constructor', ' ', '\t', 'a ', ' a'],
];

export const keyTests: Tests = {
  'keys of every kind stay apart': async ({ store }) => {
    const values = oddKeys.map((_, index) => bytes(String(index)));
    await Promise.all(oddKeys.map((key, index) => store.set(key, values[index]!)));
    for (const [index, entry] of (await store.getMany(oddKeys)).entries()) {
      assert.equal(entry?.key, oddKeys[index]);
      assert.equal(textOf(entry), String(index));
    }
    assert.deepEqual(await keysOf(store, ''), [...oddKeys].sort(byUtf8));
    for (const key of oddKeys) assert.equal(await store.delete(key), true);
    assert.deepEqual(await keysOf(store, ''), []);
  },
  'the longest key is kept': async ({ store }) => {
    for (const key of ['k'.repeat(maxKeyBytes), '€'.repeat(Math.floor(maxKeyBytes / 3))]) {
      await store.set(key, bytes('long'));
      assert.equal(textOf(await store.get(key)), 'long');
      assert.deepEqual(await keysOf(store, key), [key]);
      assert(await store.claim(key, key, 1_000));
    }
  },
  'what cannot be a key is refused': async ({ store }) => {
    const tooLong = 'k'.repeat(maxKeyBytes + 1);
    const signal = AbortSignal.abort();
    for (const key of [tooLong, '€'.repeat(maxKeyBytes / 2), '\ud800', 'a\udc00b', '\udc00\ud800']) {
      for (const attempt of [
        () => store.get(key),
        () => store.getMany(['a', key]),
        () => store.set(key, bytes('')),
        () => store.setMany([[key, bytes('')]]),
        () => store.delete(key),
        () => keysOf(store, key),
        () => store.claim(key, 'holder', 1_000),
        () => store.claim('name', key, 1_000),
        () => store.release(key, 1n),
        async () => store.watch(key, { signal }),
      ]) {
        await assert.rejects(attempt, InvalidKeyError);
      }
    }
    await assert.rejects(store.get(5 as never), InvalidKeyError);
    await assert.rejects(store.set(undefined as never, bytes('')), InvalidKeyError);
  },
};
