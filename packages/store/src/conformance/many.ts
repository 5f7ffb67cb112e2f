import assert from 'node:assert/strict';
import { InvalidKeyError } from '../errors.ts';
import type { Tests } from './subject.ts';
import { bytes, textOf, times } from './tools.ts';

const nameOf = (index: number) => `key-${String(index).padStart(6, '0')}`;

export const manyTests: Tests = {
  'getMany returns each key in its place, also twice or absent': async ({ store }) => {
    assert.deepEqual(await store.getMany([]), []);
    await store.set('a', bytes('1'));
    await store.set('b', bytes('2'));
    const found = await store.getMany(['b', 'none', 'a', 'b']);
    assert.deepEqual(found.map(textOf), ['2', undefined, '1', '2']);
    assert.deepEqual(found[0], await store.get('b'));
  },
  'twenty thousand keys are set from a generator and read back': async ({ store }) => {
    const count = 20_000;
    let pulled = 0;
    function* entries(): Generator<[string, Uint8Array]> {
      for (let i = 0; i < count; i++) {
        pulled++;
        yield [nameOf(i), bytes(String(i))];
      }
    }
    const setting = store.setMany(entries());
    await Promise.resolve();
    assert(pulled < count, 'the generator was run to its end before anything could have been sent');
    await setting;
    assert.equal(pulled, count);
    const found = await store.getMany(times(count, nameOf));
    assert.equal(found.length, count);
    for (const [index, entry] of found.entries()) assert.equal(textOf(entry), String(index));
    assert.equal(new Set(found.map(entry => entry?.version)).size, count);
  },
  'setMany sets in order, so the last of a key stays': async ({ store }) => {
    await store.setMany([]);
    await store.setMany(times(5_000, i => [`key-${i % 7}`, bytes(String(i))]));
    const found = await store.getMany(times(7, i => `key-${i}`));
    assert.deepEqual(
      found.map(entry => Number(textOf(entry)) % 7),
      times(7, i => i),
    );
    for (const entry of found) assert(Number(textOf(entry)) >= 4_993);
  },
  'setMany stops at what it must refuse, or at an error of the generator': async ({ store }) => {
    const refused: [string, Uint8Array][] = [
      ['good', bytes('1')],
      ['bad \ud800', bytes('2')],
    ];
    await assert.rejects(store.setMany(refused), InvalidKeyError);
    function* failing(): Generator<[string, Uint8Array]> {
      yield ['good', bytes('1')];
      throw new RangeError('from the generator');
    }
    await assert.rejects(store.setMany(failing()), RangeError);
    await store.setMany([['good', bytes('3')]]);
    assert.equal(textOf(await store.get('good')), '3');
  },
};
