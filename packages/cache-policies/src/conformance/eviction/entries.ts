import assert from 'node:assert/strict';
import { InvalidOptionError } from '@ashlar/core';
import type { Eviction } from '../../bounded-map.ts';
import { Ledger } from './ledger.ts';

export type Tests = Record<string, () => void>;

const { is } = Object;

/** What a map does with its entries, whatever its bound. */
export function entries(eviction: Eviction): Tests {
  return {
    'answers what was stored, and undefined for what was not'() {
      const map = eviction<string, number>({ max: 3 });
      assert.equal(map.get('a'), undefined);
      assert.equal(map.peek('a'), undefined);
      assert.equal(map.has('a'), false);
      assert.equal(map.set('a', 1), map);
      assert.equal(map.get('a'), 1);
      assert.equal(map.peek('a'), 1);
      assert.equal(map.has('a'), true);
      assert.equal(map.size, 1);
    },
    'replaces a value without taking more room'() {
      const ledger = new Ledger<string, number>(eviction, 2);
      for (const value of [1, 2, 2, 3]) ledger.set('a', value);
      ledger.set('b', 1);
      assert.equal(ledger.get('a'), 3);
      assert.equal(ledger.map.size, 2);
    },
    'keeps falsy values, and any kind of key'() {
      const values: unknown[] = [0, -0, '', false, null, Number.NaN, 0n];
      const object = {};
      const keys: unknown[] = [
        ...[0, '', false, null, Number.NaN, 0n, undefined, '0', 'NaN', 'null', 'undefined', '__proto__'],
        ...['constructor', 'toString', 1.5, '1.5', -1, '-1', 2 ** 31, 2 ** 40, -(2 ** 31), Infinity, '00'],
        ...[object, {}, [], Symbol('a'), Symbol.iterator, () => 1, new Date(0), 10n ** 20n, 'é', '\0', '😀'],
      ];
      const ledger = new Ledger<unknown, unknown>(eviction, keys.length * 4);
      keys.forEach((key, i) => {
        ledger.set(key, values[i % values.length]);
      });
      assert.equal(ledger.map.size, keys.length);
      keys.forEach((key, i) => {
        assert.ok(is(ledger.get(key), values[i % values.length]));
        ledger.delete(key);
      });
      assert.equal(ledger.map.size, 0);
    },
    'compares keys as a Map does'() {
      const map = eviction<unknown, number>({ max: 10 });
      map.set(-0, 1).set(Number.NaN, 2).set('ab', 3).set({}, 4).set(10n, 5);
      assert.equal(map.get(0), 1);
      assert.equal(map.get(Number('x')), 2);
      assert.equal(map.get(['a', 'b'].join('')), 3);
      assert.equal(map.get({}), undefined);
      assert.equal(map.get(BigInt('10')), 5);
      map.set(0, 6).set(Number.NaN, 7);
      assert.equal(map.get(-0), 6);
      assert.equal(map.size, 5);
    },
    'refuses undefined, and has not changed then'() {
      const ledger = new Ledger<string, number | undefined>(eviction, 2);
      assert.throws(() => ledger.map.set('a', undefined), InvalidOptionError);
      ledger.set('a', 1);
      assert.throws(() => ledger.map.set('a', undefined), InvalidOptionError);
      assert.equal(ledger.get('a'), 1);
    },
    'deletes, and takes back what was deleted'() {
      const ledger = new Ledger<string, number>(eviction, 3);
      ledger.delete('a');
      for (let round = 0; round < 3; round++) {
        for (const key of ['a', 'b', 'c']) ledger.set(key, round);
        for (const key of ['b', 'a', 'b', 'c']) ledger.delete(key);
        assert.equal(ledger.map.size, 0);
      }
    },
    'clears, and is as new'() {
      const [used, fresh] = [
        new Ledger<number, number>(eviction, 5),
        new Ledger<number, number>(eviction, 5),
      ];
      used.clear();
      for (let i = 0; i < 50; i++) if (used.get((i * 7) % 11) === undefined) used.set((i * 7) % 11, i);
      used.clear();
      assert.equal(used.map.size, 0);
      for (let i = 0; i < 100; i++) {
        const key = (i * i) % 13;
        assert.equal(used.get(key), fresh.get(key));
        assert.deepEqual(used.set(key, i), fresh.set(key, i));
      }
    },
    'iterates over every entry, also while entries leave and come'() {
      const map = eviction<number, number>({ max: 20 });
      for (let i = 0; i < 20; i++) map.set(i, -i);
      assert.deepEqual(
        [...map].sort(([a], [b]) => a - b),
        Array.from({ length: 20 }, (_, i) => [i, -i]),
      );
      const seen: number[] = [];
      for (const [key] of map) {
        seen.push(key);
        assert.ok(seen.length <= 20, 'iteration ends');
        if (key % 2 === 1) map.delete(key);
        if (key % 4 === 0) map.set(key, key).delete(key + 100);
      }
      assert.equal(new Set(seen).size, seen.length, 'none is seen twice');
      for (let key = 0; key < 20; key += 2) assert.ok(seen.includes(key), 'what stays is seen');
      for (const [key] of map) map.delete(key);
      assert.equal(map.size, 0);
    },
  };
}
