import assert from 'node:assert/strict';
import { InvalidOptionError } from '@ashlar/core';
import type { Bound, Eviction } from '../../bounded-map.ts';
import type { Tests } from './entries.ts';
import { Ledger } from './ledger.ts';

const byValue = (_key: unknown, value: number) => value;

/** How a map holds to its bound, by count and by weight. */
export function bounds(eviction: Eviction): Tests {
  return {
    'refuses what is no bound, and options that it does not have'() {
      for (const max of [0, -1, 1.5, Number.NaN, Infinity, '10', undefined, 2 ** 53] as number[]) {
        assert.throws(() => eviction({ max }), InvalidOptionError);
        assert.throws(() => eviction({ max: 1 }).resize(max), InvalidOptionError);
      }
      assert.throws(() => eviction({ max: 1, maximum: 1 } as Bound<string, string>), InvalidOptionError);
    },
    'holds one entry'() {
      const ledger = new Ledger<string, number>(eviction, 1);
      ledger.set('a', 1);
      assert.equal(ledger.get('a'), 1);
      for (let i = 0; i < 100; i++) {
        ledger.set(`${i % 7}`, i);
        ledger.get(`${i % 3}`);
        assert.equal(ledger.map.size, 1);
      }
      ledger.clear();
      assert.deepEqual(ledger.set('b', 1), []);
    },
    'stays full once it is full, at every small bound'() {
      for (let max = 1; max <= 12; max++) {
        const ledger = new Ledger<number, number>(eviction, max);
        for (let i = 0; i < 200; i++) {
          const key = (i * i + (i % 5)) % 31;
          if (ledger.get(key) === undefined) ledger.set(key, i);
          assert.ok(i < 40 || ledger.map.size === max);
        }
      }
    },
    'is bounded by weight, also when weights change'() {
      const ledger = new Ledger<number, number>(eviction, 100, byValue);
      for (let i = 0; i < 500; i++) ledger.set((i * 7) % 40, 1 + ((i * i) % 30));
      assert.ok(ledger.weight > 50, 'most of the bound is used');
      const [light] = ledger.keys;
      ledger.set(light!, 1);
      ledger.set(light!, 100);
      ledger.set(light!, 1);
    },
    'does not admit what is heavier than the bound, and keeps the rest'() {
      const ledger = new Ledger<string, number>(eviction, 10, byValue);
      for (const key of ['a', 'b', 'c']) ledger.set(key, 3);
      ledger.set('heavy', 11);
      assert.equal(ledger.map.has('heavy'), false);
      assert.equal(ledger.map.size, 3);
      ledger.set('a', 11);
      assert.deepEqual(ledger.keys, ['b', 'c']);
      ledger.set('d', 4);
      assert.equal(ledger.map.size, 3);
    },
    'has not changed when weigh fails'() {
      const weigh = (_key: string, value: number) => {
        if (value === 0) throw new RangeError('no weight');
        return value;
      };
      const ledger = new Ledger<string, number>(eviction, 10, weigh);
      ledger.set('a', 4);
      for (const key of ['a', 'b']) {
        assert.throws(() => ledger.map.set(key, 0), RangeError);
        for (const bad of [-1, 1.5, Number.NaN, Infinity]) {
          assert.throws(() => ledger.map.set(key, bad), InvalidOptionError);
        }
      }
      assert.equal(ledger.get('a'), 4);
      assert.equal(ledger.get('b'), undefined);
    },
    'asks for a weight once, when the entry is stored'() {
      const asked: string[] = [];
      const weigh = (key: string, value: number) => {
        asked.push(key);
        return value;
      };
      const map = eviction<string, number>({ max: 10, weigh });
      map.set('a', 3).set('b', 3).set('a', 4).set('c', 3);
      map.get('a');
      map.resize(5);
      map.delete('a');
      assert.deepEqual(asked, ['a', 'b', 'a', 'c']);
    },
    'shrinks at once and grows again'() {
      for (const weigh of [undefined, byValue]) {
        const ledger = new Ledger<number, number>(eviction, 60, weigh);
        const fill = () => {
          // 83 is a prime, so these are 42 keys
          for (let i = 0; i < 200; i++) {
            if (ledger.get((i * i) % 83) === undefined) ledger.set((i * i) % 83, 1 + (i % 3));
          }
        };
        fill();
        for (const max of [30, 31, 7, 3, 1, 2, 120, 59]) {
          ledger.resize(max);
          fill();
          if (weigh === undefined) assert.equal(ledger.map.size, Math.min(max, 42));
        }
      }
    },
    'fills up before it evicts, also after it has grown'() {
      const ledger = new Ledger<number, number>(eviction, 4);
      for (let i = 0; i < 20; i++) ledger.set(i, i);
      ledger.resize(9);
      for (let i = 100; ledger.map.size < 9; i++) assert.deepEqual(ledger.set(i, i), []);
      assert.equal(ledger.set(1_000, 1).length, 1);
    },
    'holds many entries'() {
      const max = 50_000;
      let departures = 0;
      const map = eviction<string, number>({ max, onEvict: () => departures++ });
      for (let i = 0; i < 3 * max; i++) map.set(`key ${i}`, i);
      assert.equal(map.size, max);
      assert.equal(departures, 2 * max);
      let seen = 0;
      for (const [key, value] of map) {
        assert.equal(key, `key ${value}`);
        assert.equal(map.peek(key), value);
        seen++;
      }
      assert.equal(seen, max);
    },
  };
}
