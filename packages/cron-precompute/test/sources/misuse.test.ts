import { describe, expect, it } from 'vitest';
import { inChunks } from '../../src/index.ts';
import { preparedOf } from '../support/prepared.ts';
import { site } from '../support/site.ts';

/** What is wrong only when the work runs: it is on the record, and the last good version stays served. */

describe('a source that', () => {
  it.each([
    ['returns the promise of an array', async () => [['a', 2]], 'async iterable'],
    ['returns nothing', () => undefined, 'async iterable'],
    ['returns a text', () => 'ab', 'async iterable'],
    ['yields a text', () => ['ab'], '`[key, value]`'],
    ['yields a key alone', () => [['a']], '`[key, value]`'],
    ['yields an object', () => [{ key: 'a', value: 2 }], '`[key, value]`'],
    ['yields a key that is an object', () => [[{}, 2]], '`key` must be'],
    ['yields half of a surrogate pair', () => [['b\ud800', 2]], 'must be a well-formed text, got "b\\ud800"'],
    ['yields what JSON does not keep', () => [['a', new Date()]], 'Date'],
    ['throws before it begins', () => Promise.reject(new Error('no rows')), 'async iterable'],
    [
      'has a chunk that always fails',
      inChunks({
        chunks: () => [1],
        load: () => Promise.reject(new Error('away')),
        attempts: 2,
        firstPauseMs: 0,
      }),
      'has failed 2 times: away',
    ],
  ])('%s leaves the version before', async (_, source, said) => {
    const place = site();
    let isWrong = false;
    const { best } = preparedOf<unknown>(place, () => [], {
      source: ((context: never) => (isWrong ? source(context) : [['a', 1]])) as never,
    });
    await best.start();
    expect(await best.refresh()).toMatchObject({ status: 'succeeded' });
    isWrong = true;
    const { status, error } = await best.refresh();
    expect({ status, message: error?.message }).toEqual({
      status: 'failed',
      message: expect.stringContaining(said),
    });
    expect(best.get('a')).toMatchObject({ value: 1, version: 1 });
  });

  it('has keys whose text is no text, or no UTF-8, publishes none of them', async () => {
    const rejects = () => Promise.reject(new Error('no key')); // Nobody else waits for it
    for (const keyOf of [() => 7, (key: string) => key.slice(0, 1), rejects as never]) {
      const { best } = preparedOf(site(), () => [['😀', 1]], { keyOf: keyOf as (key: string) => string });
      const { status, error } = await best.refresh();
      expect({ status, code: error?.code }).toEqual({ status: 'failed', code: 'ASHLAR_CORE_INVALID_OPTION' });
    }
  });

  it('has keys of any other text is read as it was written', async () => {
    const texts = ['', 'a\0', '\ufffd', '😀', '\u2028'];
    const { best } = preparedOf(site(), () => texts.map((text, index) => [text, index] as const));
    await best.start();
    expect(await best.refresh()).toMatchObject({ status: 'succeeded' });
    expect(texts.map(text => best.get(text).value)).toEqual([0, 1, 2, 3, 4]);
  });
});
