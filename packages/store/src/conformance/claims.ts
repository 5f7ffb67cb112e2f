import assert from 'node:assert/strict';
import { InvalidOptionError } from '@ashlar/core';
import { maxAheadUs, maxToken } from '../limits.ts';
import { oddKeys } from './keys.ts';
import { type Tests, until } from './subject.ts';
import { bytes, keysOf, textOf, times } from './tools.ts';

export const claimTests: Tests = {
  'one holder has a name, and renews it with the same token': async ({ store }) => {
    const first = await store.claim('name', 'a', 60_000);
    assert(first && first.token > 0n && first.remainingMs > 59_000 && first.remainingMs <= 60_000);
    assert.equal(await store.claim('name', 'b', 60_000), undefined);
    const renewed = await store.claim('name', 'a', 90_000);
    assert.equal(renewed?.token, first.token);
    assert(renewed && renewed.remainingMs > 89_000 && renewed.remainingMs <= 90_000);
    assert(await store.claim('another name', 'b', 60_000));
  },
  'release frees the name that is held with the token': async ({ store }) => {
    const first = (await store.claim('name', 'a', 60_000))!;
    assert.equal(await store.release('name', first.token + 1n), false);
    assert.equal(await store.release('name', first.token - 1n), false);
    assert.equal(await store.release('another name', first.token), false);
    assert.equal(await store.claim('name', 'b', 60_000), undefined);
    assert.equal(await store.release('name', first.token), true);
    assert.equal(await store.release('name', first.token), false);
    const second = (await store.claim('name', 'b', 60_000))!;
    assert(second.token > first.token);
    assert.equal(await store.release('name', first.token), false);
    assert.equal(await store.claim('name', 'a', 60_000), undefined);
  },
  'a claim ends at its time, and the next token is greater': async subject => {
    const { store } = subject;
    let last = 0n;
    for (let round = 0; round < 4; round++) {
      const holder = `holder ${round % 2}`;
      await until(subject, async () => {
        const claim = await store.claim('name', holder, 30);
        if (claim === undefined) return false;
        assert(claim.token > last, `${claim.token} after ${last}`);
        last = claim.token;
        return true;
      });
      await until(subject, async () => !(await store.release('name', last)));
      const again = await store.claim('name', holder, 30);
      assert(again && again.token > last, 'the same holder, after the end of its claim, begins a new one');
      last = again.token;
    }
  },
  'a renewal moves the end': async subject => {
    const { store } = subject;
    await store.claim('name', 'a', 30);
    await store.claim('name', 'a', 60_000);
    await store.claim('shorter', 'a', 60_000);
    await store.claim('shorter', 'a', 40);
    await until(subject, async () => (await store.claim('shorter', 'b', 60_000)) !== undefined);
    assert.equal(await store.claim('name', 'b', 30), undefined);
  },
  'a claim gets a token above another': async ({ store }) => {
    const first = (await store.claim('name', 'a', 60_000))!;
    const above = first.token + 1_000_000_000n;
    assert.equal(await store.claim('name', 'b', 60_000, { above }), undefined);
    const second = (await store.claim('name', 'a', 60_000, { above }))!;
    assert(second.token > above);
    assert.equal(await store.release('name', first.token), false);
    assert.equal((await store.claim('name', 'a', 60_000, { above: first.token }))?.token, second.token);
    await store.release('name', second.token);
    assert((await store.claim('name', 'c', 60_000))!.token > second.token);
    assert(
      (await store.claim('fresh', 'c', 60_000, { above: second.token + 5n }))!.token > second.token + 5n,
    );
  },
  'a token far ahead of the clock is refused, and uses up none': async ({ store }) => {
    const first = (await store.claim('name', 'a', 60_000))!;
    for (const above of [first.token + 2n * maxAheadUs, maxToken - 1n]) {
      for (const [name, holder] of [
        ['name', 'a'],
        ['name', 'b'],
        ['another name', 'a'],
      ] as const) {
        await assert.rejects(store.claim(name, holder, 60_000, { above }), error => {
          assert(error instanceof InvalidOptionError);
          assert.equal(error.option, 'above');
          return true;
        });
      }
    }
    assert.equal((await store.claim('name', 'a', 60_000))?.token, first.token);
    const above = first.token + maxAheadUs - 3_600_000_000n;
    let last = above;
    for (let round = 0; round < 5; round++) {
      const claim = (await store.claim('another name', 'a', 60_000, { above }))!;
      assert(claim.token > last, `${claim.token} after ${last}`);
      last = claim.token;
      await store.release('another name', claim.token);
    }
  },
  'claims and keys do not share their names': async ({ store }) => {
    await store.claim('name', 'a', 60_000);
    assert.equal(await store.get('name'), undefined);
    assert.deepEqual(await keysOf(store, ''), []);
    await store.set('name', bytes('value'), { ifVersion: 'absent' });
    const claim = await store.claim('name', 'a', 60_000);
    await store.delete('name');
    assert.equal(await store.release('name', claim!.token), true);
    await store.set('name', bytes('again'));
    assert.equal(textOf(await store.get('name')), 'again');
  },
  'names and holders of every kind stay apart': async ({ store }) => {
    const claims = await Promise.all(oddKeys.map(name => store.claim(name, `${name} holds`, 60_000)));
    const again = await Promise.all(oddKeys.map(name => store.claim(name, `${name} holds`, 60_000)));
    for (const [index, claim] of claims.entries()) assert.equal(again[index]?.token, claim?.token);
    for (const [index, name] of oddKeys.entries()) {
      assert.equal(await store.claim(name, name, 60_000), undefined);
      assert.equal(await store.release(name, claims[index]!.token), true);
      assert((await store.claim(name, name, 60_000))!.token > claims[index]!.token);
    }
  },
  'of a thousand contenders one holds at a time': async subject => {
    const { store } = subject;
    const others = await Promise.all(times(4, () => subject.other?.() ?? store));
    let last = 0n;
    let holding = 0;
    let terms = 0;
    const contend = async (index: number, attempts: number): Promise<void> => {
      const through = others[index % others.length]!;
      for (let attempt = 0; attempt < attempts; attempt++) {
        const claim = await through.claim('name', `holder ${index}`, 60_000);
        if (claim === undefined) continue;
        assert.equal(++holding, 1, 'two hold the name');
        assert(claim.token > last, `${claim.token} after ${last}`);
        last = claim.token;
        terms++;
        await through.get('anything');
        holding--;
        assert.equal(await through.release('name', claim.token), true);
        return;
      }
    };
    await Promise.all(times(1_000, index => contend(index, 5)));
    assert(terms > 0);
    const atOnce = await Promise.all(times(1_000, index => store.claim('held', `holder ${index}`, 60_000)));
    assert.equal(atOnce.filter(claim => claim !== undefined).length, 1);
  },
  'what is no token is refused': async ({ store }) => {
    for (const token of [5, '5', undefined, -1n, 2n ** 53n]) {
      await assert.rejects(store.release('name', token as bigint), InvalidOptionError);
    }
    await assert.rejects(store.claim('name', 'a', 1_000, { above: -1n }), InvalidOptionError);
    await assert.rejects(store.claim('name', 'a', 1_000, { over: 1n } as object), InvalidOptionError);
  },
};
