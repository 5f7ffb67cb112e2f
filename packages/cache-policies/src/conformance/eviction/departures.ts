import assert from 'node:assert/strict';
import { seededRandom } from '@ashlar/core';
import type { BoundedMap, Eviction, EvictionReason } from '../../bounded-map.ts';
import type { Tests } from './entries.ts';
import { Ledger } from './ledger.ts';

/** The notices of entries that leave, and what `onEvict` may do then. */
export function departures(eviction: Eviction): Tests {
  return {
    'notifies after the entry has left'() {
      const reasons: EvictionReason[] = [];
      const map: BoundedMap<string, number> = eviction({
        max: 2,
        onEvict(key, value, reason) {
          reasons.push(reason);
          assert.notEqual(map.peek(key), value);
          assert.ok(map.size <= 2);
          if (reason !== 'replaced') assert.equal(map.has(key), false);
        },
      });
      map.set('a', 1).set('a', 2).set('b', 3).set('c', 4).delete('d');
      map.resize(1);
      map.clear();
      assert.deepEqual(reasons, ['replaced', 'capacity', 'capacity', 'deleted']);
    },
    'may be used while it notifies'() {
      const random = seededRandom(11);
      const held = new Map<number, number>();
      let depth = 0;
      let stamp = 0;
      const store = (key: number) => {
        stamp++;
        map.set(key, stamp);
      };
      const left = new Set<number>();
      const map: BoundedMap<number, number> = eviction<number, number>({
        max: 8,
        onEvict(key, value) {
          assert.ok(!left.has(value), 'one notice for each');
          left.add(value);
          if (depth >= 3) return;
          depth++;
          const draw = random();
          if (draw < 0.3) store(key);
          else if (draw < 0.5) store(Math.floor(random() * 20));
          else if (draw < 0.7) map.delete(Math.floor(random() * 20));
          else if (draw < 0.8) map.resize(4 + Math.floor(random() * 8));
          else if (draw < 0.85) map.clear();
          else map.get(Math.floor(random() * 20));
          depth--;
        },
      });
      for (let i = 0; i < 2_000; i++) {
        if (random() < 0.1) map.delete(Math.floor(random() * 20));
        else if (map.get(Math.floor(random() * 20)) === undefined) store(Math.floor(random() * 20));
        assert.ok(map.size <= 12);
        held.clear();
        for (const [key, value] of map) held.set(key, value);
        assert.equal(held.size, map.size);
        for (const [key, value] of held) assert.equal(map.peek(key), value);
        assert.equal(left.size + held.size, stamp, 'what was stored is there or was notified of');
        for (const value of held.values()) assert.ok(!left.has(value));
      }
    },
    'notifies of every entry, also when `onEvict` throws'() {
      const noticed: number[] = [];
      const map = eviction<number, number>({
        max: 5,
        onEvict(key) {
          noticed.push(key);
          throw new RangeError(`onEvict of ${key}`);
        },
      });
      for (let i = 0; i < 5; i++) map.set(i, i);
      assert.throws(() => map.set(5, 5), RangeError);
      assert.equal(noticed.length, 1);
      assert.equal(map.size, 5);
      assert.throws(
        () => map.resize(2),
        (error: Error) => error.message === `onEvict of ${noticed[1]}`,
      );
      assert.equal(noticed.length, 4);
      assert.throws(() => map.clear(), RangeError);
      assert.equal(noticed.length, 6);
      assert.equal(new Set(noticed).size, 6);
      assert.deepEqual([...map], []);
      map.set(1, 1);
      assert.throws(() => map.set(1, 2), RangeError);
      assert.equal(map.get(1), 2);
      assert.throws(() => map.delete(1), RangeError);
      assert.equal(map.has(1), false);
    },
    'keeps its books over a long and mixed life'() {
      for (const weigh of [undefined, (_key: number, value: number) => 1 + (value % 7)]) {
        const random = seededRandom(weigh === undefined ? 1 : 2);
        const ledger = new Ledger<number, number>(eviction, 24, weigh);
        const key = () => Math.floor(random() ** 2 * 60);
        for (let i = 0; i < 4_000; i++) {
          const draw = random();
          if (draw < 0.5) ledger.get(key());
          else if (draw < 0.9) ledger.set(key(), i);
          else if (draw < 0.98) ledger.delete(key());
          else if (draw < 0.999) ledger.resize(8 + Math.floor(random() * 40));
          else ledger.clear();
        }
      }
    },
    'does not count peek, has and iteration as accesses'() {
      const lives = [false, true].map(watched => {
        const left: number[] = [];
        const map = eviction<number, number>({ max: 8, onEvict: key => left.push(key) });
        const random = seededRandom(3);
        for (let i = 0; i < 1_000; i++) {
          const key = Math.floor(random() ** 2 * 30);
          for (let j = 0; watched && j < 3; j++) {
            map.peek((key * j) % 30);
            map.has((key + j) % 30);
            for (const [other] of map) if (other === key) break;
          }
          if (map.get(key) === undefined) map.set(key, i);
        }
        return left;
      });
      assert.deepEqual(lives[0], lives[1]);
    },
  };
}
