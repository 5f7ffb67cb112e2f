import { seededRandom } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import { none } from '../../src/slots/column.ts';
import { hashInteger, hashString } from '../../src/slots/hash.ts';
import { SlotStore } from '../../src/slots/slot-store.ts';

/** Entries and a `Map` of their slots that are told the same. */
class Pair {
  readonly index = new SlotStore<unknown, true>();
  readonly plain = new Map<unknown, number>();

  toggle(key: unknown): void {
    const slot = this.plain.get(key);
    if (this.index.find(key) !== (slot ?? none)) expect.fail(`${String(key)} is not at ${slot}`);
    if (this.index.findAgain(key) !== (slot ?? none)) expect.fail(`${String(key)} is not at ${slot}`);
    if (slot === undefined) {
      this.plain.set(key, this.index.add(key, true));
    } else {
      this.index.remove(slot);
      this.plain.delete(key);
    }
  }

  check(): void {
    for (const [key, slot] of this.plain) {
      if (this.index.find(key) !== slot) expect.fail(`${String(key)} is not at ${slot}`);
    }
  }
}

/** Integers whose hashes differ in their low bits alone, so that all of them have one home. */
function oneHome(count: number): number[] {
  let inverse = 1;
  for (let i = 0; i < 5; i++) inverse = Math.imul(inverse, 2 - Math.imul(0x9e3779b1, inverse));
  return Array.from({ length: count }, (_, i) => {
    const product = Math.imul(i, inverse);
    // Undoes the shift of 15 bits, in two steps as 30 are fewer than 32
    return product ^ (product >>> 15) ^ (product >>> 30);
  });
}

const kinds: Record<string, (draw: number) => unknown> = {
  'integers near to each other': draw => Math.floor(draw * 3_000) - 1_000,
  'multiples of a power of two': draw => Math.floor(draw * 3_000) * 65_536,
  'all kinds of numbers': draw => [draw * 4, Math.floor(draw * 100), 2 ** 31 * draw, -draw][(draw * 1e6) & 3],
  'short strings': draw => `user:${Math.floor(draw * 3_000)}`,
  'strings of digits': draw => String(Math.floor(draw * 3_000)),
  'a mixture': draw => {
    const number = Math.floor(draw * 500);
    return [number, `${number}`, BigInt(number), number / 7, Symbol.for(`${number}`)][((draw * 1e6) % 5) | 0];
  },
};

describe('the index of keys', () => {
  it.each(Object.keys(kinds))('finds as a Map does: %s', kind => {
    const random = seededRandom(9);
    const pair = new Pair();
    for (let i = 0; i < 8_000; i++) pair.toggle(kinds[kind]!(random()));
    pair.check();
  });

  it('finds as a Map does: more strings than an object holds, and fewer again', () => {
    const pair = new Pair();
    const name = (i: number) => `key number ${i}`;
    for (let i = 0; i < 40_000; i++) pair.toggle(name(i));
    pair.check();
    for (let i = 0; i < 39_000; i++) pair.toggle(name(i));
    for (let i = 0; i < 3_000; i++) pair.toggle(name(i * 13));
    pair.check();
  });

  it('finds as a Map does: integers that all have one home', () => {
    const keys = oneHome(500);
    expect(new Set(keys.map(key => hashInteger(key) >>> 16)).size).toBe(1);
    const pair = new Pair();
    for (let i = 0; i < 1_000; i++) pair.toggle(i + 7);
    for (const key of keys) pair.toggle(key);
    pair.check();
    for (const key of keys.filter((_, i) => i % 3 !== 0)) pair.toggle(key);
    for (let i = 0; i < 700; i++) pair.toggle(i + 7);
    for (const key of keys) pair.toggle(key);
    pair.check();
  });

  it('finds as a Map does: strings that all have one hash', () => {
    const [head, tail] = ['h'.repeat(32), 't'.repeat(32)];
    const alike = Array.from({ length: 300 }, (_, i) => `${head}${1_000 + i}${tail}`);
    expect(new Set(alike.map(hashString)).size).toBe(1);
    const pair = new Pair();
    for (let i = 0; i < 33_000; i++) pair.toggle(`other ${i}`);
    for (const key of alike) pair.toggle(key);
    pair.check();
    for (const key of alike.slice(0, 200)) pair.toggle(key);
    for (const key of alike.slice(100)) pair.toggle(key);
    pair.check();
  });

  it('is empty after it was cleared', () => {
    const pair = new Pair();
    const keys = [1, 'a', 1.5, null, ...Array.from({ length: 33_000 }, (_, i) => `key ${i}`)];
    for (const key of keys) pair.toggle(key);
    pair.index.clear();
    expect(keys.filter(key => pair.index.find(key) !== none)).toEqual([]);
  });
});
