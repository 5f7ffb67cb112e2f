import { type Bench, timing, type Work } from '@workspace/bench';
import type { KeyType, ShardKey } from '../src/keys/key-column.ts';
import { firstMap } from '../src/map/first-map.ts';
import { Routes } from '../src/map/routes.ts';

const count = 1_024;
const kinds: readonly (readonly [name: string, type: KeyType, keyOf: (n: number) => ShardKey])[] = [
  ['a safe integer', 'int8', n => n * 7_919],
  ['a bigint', 'int8', n => BigInt(n) * 7_919n],
  ['a text of 12 characters', 'text', n => `tenant:${String(n).padStart(5, '0')}`],
  ['a UUID', 'uuid', n => `0198f3a1-7b5c-7def-8abc-${n.toString(16).padStart(12, '0')}`],
  ['a text and an integer', ['text', 'int8'], n => [`tenant:${n}`, n]],
];

/** What `route` costs; the target is 300 ns. A `Map` that has all keys is what a directory in memory would cost. */
export const routing: readonly Bench[] = kinds.map(([name, type, keyOf]) =>
  timing(`route ${name}`, () => {
    const routes = new Routes(firstMap(type, 1_024, ['one', 'two', 'three', 'four']), 0);
    const keys = Array.from({ length: count }, (_, n) => keyOf(n));
    const all = new Map(keys.map(key => [String(key), routes.of(key)]));
    return {
      ours: ['ShardRouter', lookups(keys, key => routes.of(key))],
      peers: { 'a Map of all keys': lookups(keys, key => all.get(String(key))) },
    };
  }),
);

function lookups(keys: readonly ShardKey[], look: (key: ShardKey) => unknown): Work {
  let next = 0;
  return times => {
    let last: unknown;
    for (let i = 0; i < times; i++) {
      last = look(keys[next]!);
      next = (next + 1) & (count - 1);
    }
    return last;
  };
}
