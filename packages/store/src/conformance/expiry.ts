import assert from 'node:assert/strict';
import { InvalidOptionError } from '@ashlar/core';
import { VersionConflictError } from '../errors.ts';
import { maxTtlMs } from '../limits.ts';
import { type Tests, until } from './subject.ts';
import { bytes, keysOf, textOf, times } from './tools.ts';

export const expiryTests: Tests = {
  'a value ends at its time, for every operation': async subject => {
    const { store } = subject;
    const version = await store.set('key', bytes('1'), { ttlMs: 40 });
    await store.set('other', bytes('2'));
    await until(subject, async () => (await store.get('key')) === undefined);
    assert.deepEqual(await store.getMany(['key']), [undefined]);
    assert.deepEqual(await keysOf(store, ''), ['other']);
    assert.equal(await store.delete('key'), false);
    await assert.rejects(store.set('key', bytes('2'), { ifVersion: version }), VersionConflictError);
    const next = await store.set('key', bytes('3'), { ifVersion: 'absent' });
    assert.notEqual(next, version);
  },
  'and not before it': async subject => {
    const { store } = subject;
    await store.set('long', bytes('1'), { ttlMs: 60_000 });
    await store.set('short', bytes('1'), { ttlMs: 30 });
    await until(subject, async () => (await store.get('short')) === undefined);
    assert.equal(textOf(await store.get('long')), '1');
  },
  'a later set decides how long the value stays': async subject => {
    const { store } = subject;
    await store.set('lifted', bytes('1'), { ttlMs: 30 });
    await store.set('lifted', bytes('2'));
    await store.set('longer', bytes('1'), { ttlMs: 30 });
    await store.set('longer', bytes('2'), { ttlMs: 60_000 });
    await store.set('shorter', bytes('1'), { ttlMs: 60_000 });
    await store.set('shorter', bytes('2'), { ttlMs: 40 });
    await store.set('limited', bytes('1'));
    await store.set('limited', bytes('2'), { ttlMs: 40 });
    const isGone = async (key: string) => (await store.get(key)) === undefined;
    await until(subject, async () => (await isGone('shorter')) && (await isGone('limited')));
    assert.deepEqual(await keysOf(store, ''), ['lifted', 'longer']);
  },
  'a set that was refused leaves the time as it was': async subject => {
    const { store } = subject;
    const isRefused = async (ttlMs: number) => {
      await store.set('key', bytes('1'), { ttlMs });
      try {
        await store.set('key', bytes('2'), { ttlMs: 60_000, ifVersion: 'absent' });
        return false;
      } catch (error) {
        assert(error instanceof VersionConflictError);
        return true;
      }
    };
    // A slow machine or network may take so long that the first value has ended before
    for (let ttlMs = 40; !(await isRefused(ttlMs)); ttlMs *= 4)
      assert(ttlMs < 5_000, 'the set was not refused');
    await until(subject, async () => (await store.get('key')) === undefined);
  },
  'setMany limits the time of each': async subject => {
    const { store } = subject;
    await store.setMany(
      times(300, i => [`key-${i}`, bytes('')]),
      { ttlMs: 60 },
    );
    await until(subject, async () => (await keysOf(store, '')).length === 0);
  },
  'a time of years is kept, and beyond the limit refused': async ({ store }) => {
    for (const ttlMs of [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32, 2 ** 40, maxTtlMs, 0.5 + 2 ** 31]) {
      await store.set(`key ${ttlMs}`, bytes('1'), { ttlMs });
      assert.equal(textOf(await store.get(`key ${ttlMs}`)), '1');
      const claim = await store.claim(`name ${ttlMs}`, 'holder', ttlMs);
      assert(claim!.remainingMs > ttlMs * 0.99);
      assert.equal(await store.claim(`name ${ttlMs}`, 'other', ttlMs), undefined);
    }
  },
  'what is no time is refused': async ({ store }) => {
    for (const ttlMs of [0, -1, Number.NaN, Infinity, -Infinity, maxTtlMs + 1, '5', null]) {
      const options = { ttlMs } as { ttlMs: number };
      for (const attempt of [
        store.set('key', bytes(''), options),
        store.setMany([['key', bytes('')]], options),
        store.claim('name', 'holder', options.ttlMs),
      ]) {
        await assert.rejects(attempt, (error: unknown) => {
          assert(error instanceof InvalidOptionError);
          assert.equal(error.option, 'ttlMs');
          return true;
        });
      }
    }
    assert.equal(await store.get('key'), undefined);
  },
};
