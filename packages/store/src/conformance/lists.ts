import assert from 'node:assert/strict';
import { seededRandom } from '@ashlar/core';
import { oddKeys } from './keys.ts';
import type { Tests } from './subject.ts';
import { all, bytes, byUtf8, keysOf, textOf, times } from './tools.ts';

export const listTests: Tests = {
  'list returns the entries under a prefix': async ({ store }) => {
    const version = await store.set('a:1', bytes('one'));
    await store.set('a:2', bytes('two'));
    await store.set('b:1', bytes('other'));
    await store.set('a', bytes('shorter'));
    const found = await all(store.list('a:'));
    assert.deepEqual(found[0], { key: 'a:1', value: bytes('one'), version });
    assert.deepEqual(found.map(textOf), ['one', 'two']);
    assert.deepEqual(await keysOf(store, 'a:1'), ['a:1']);
    assert.deepEqual(await keysOf(store, 'a:11'), []);
    assert.deepEqual(await keysOf(store, ''), ['a', 'a:1', 'a:2', 'b:1']);
    await store.delete('a:1');
    assert.deepEqual(await keysOf(store, 'a:'), ['a:2']);
  },
  'a prefix means its own characters only': async ({ store }) => {
    const keys = oddKeys.flatMap(key => [key, `${key}x`, `${key}\u{10ffff}`, `x${key}`]);
    await store.setMany(keys.map(key => [key, bytes('')]));
    const sorted = [...new Set(keys)].sort(byUtf8);
    for (const prefix of oddKeys.slice(200)) {
      const expected = sorted.filter(key => key.startsWith(prefix));
      assert.deepEqual(await keysOf(store, prefix), expected, `under ${JSON.stringify(prefix)}`);
    }
  },
  'the order is that of the UTF-8 bytes': async ({ store }) => {
    const keys = [
      'b',
      'B',
      'a',
      'ä',
      'z',
      'aa',
      'a\0',
      'a ',
      '\uffff',
      '\ue000',
      '😀',
      '\u{10000}',
      '9',
      '10',
    ];
    await store.setMany(keys.map(key => [key, bytes(key)]));
    assert.deepEqual(await keysOf(store, ''), [...keys].sort(byUtf8));
  },
  'many keys come in order, each once': async ({ store }) => {
    const keys = times(3_000, i => `k:${(i * 7_919) % 3_000}`);
    await store.setMany(keys.map(key => [key, bytes(key)]));
    await store.setMany(times(500, i => [`other:${i}`, bytes('')]));
    const found = await all(store.list('k:'));
    assert.deepEqual(
      found.map(({ key }) => key),
      [...keys].sort(byUtf8),
    );
    for (const entry of found) assert.equal(textOf(entry), entry.key);
  },
  'while others write, a key that stays comes exactly once': async ({ store }) => {
    const random = seededRandom(11);
    const stays = times(600, i => `k:${i}:stays`);
    await store.setMany(stays.map(key => [key, bytes('')]));
    let isListing = true;
    const writing = times(4, async () => {
      while (isListing) {
        const key = `k:${Math.floor(random() * 600)}:comes`;
        if (random() < 0.5) await store.set(key, bytes(''));
        else await store.delete(key);
      }
    });
    try {
      for (let round = 0; round < 5; round++) {
        const keys = await keysOf(store, 'k:');
        assert.deepEqual([...keys].sort(byUtf8), keys);
        assert.equal(new Set(keys).size, keys.length);
        assert.deepEqual(
          keys.filter(key => key.endsWith(':stays')),
          [...stays].sort(byUtf8),
        );
      }
    } finally {
      isListing = false;
      await Promise.all(writing);
    }
  },
  'a list can be left early, and be taken again': async ({ store }) => {
    await store.setMany(times(1_000, i => [`k:${i}`, bytes('')]));
    for (let round = 0; round < 3; round++) {
      for await (const { key } of store.list('k:')) {
        assert.equal(key, 'k:0');
        break;
      }
    }
    assert.equal((await keysOf(store, 'k:')).length, 1_000);
  },
};
