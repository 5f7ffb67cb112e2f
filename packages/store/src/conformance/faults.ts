import assert from 'node:assert/strict';
import { VersionConflictError } from '../errors.ts';
import { type StoreFeatures, type Subject, type Tests, until } from './subject.ts';
import { all, bytes, Mirror, textOf, times } from './tools.ts';

/** The tests for what the subject can do besides, each under its feature. */
export function faultTests({ others, loses, breaks }: StoreFeatures): Tests {
  return { ...(others ? otherTests : {}), ...(loses ? lossTests : {}), ...(breaks ? breakTests : {}) };
}

const otherTests: Tests = {
  'two stores over one state are one': async subject => {
    const { store } = subject;
    const other = await ability(subject, 'other')();
    await using mirror = new Mirror(store, '');
    const version = await other.set('key', bytes('1'));
    assert.equal((await store.get('key'))?.version, version);
    await assert.rejects(store.set('key', bytes('2'), { ifVersion: 'absent' }), VersionConflictError);
    const claim = await store.claim('name', 'a', 60_000);
    assert.equal(await other.claim('name', 'b', 60_000), undefined);
    assert.equal(await other.release('name', claim!.token), true);
    await until(subject, () => mirror.state.get('key') === '1');
    assert.equal(await other.delete('key'), true);
    await until(subject, () => mirror.state.size === 0);
    const versions = await Promise.all(
      times(100, i => (i % 2 === 0 ? store : other).set('key', bytes(String(i)))),
    );
    assert.equal(new Set(versions).size, 100);
    await mirror.agrees(subject, store, '');
    assert.equal(mirror.resets, 0);
  },
  'the end of one store is not the end of another': async subject => {
    const other = await ability(subject, 'other')();
    await using mirror = new Mirror(subject.store, '');
    await other.set('key', bytes('1'), { ttlMs: 60_000 });
    await other[Symbol.asyncDispose]();
    await subject.store.set('more', bytes('2'));
    await mirror.agrees(subject, subject.store, '');
    assert.equal(mirror.state.size, 2);
  },
};

const lossTests: Tests = {
  'after the loss of everything, versions are new and tokens greater': async subject => {
    const { store } = subject;
    const seen = new Set<string>();
    let last = 0n;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 5; i++) seen.add(await store.set('key', bytes('same')));
      const claim = (await store.claim('name', 'a', 60_000))!;
      assert(claim.token > last, `${claim.token} after ${last}`);
      last = claim.token;
      await ability(subject, 'lose')();
      assert.equal(await store.get('key'), undefined);
      assert.deepEqual(await all(store.list('')), []);
    }
    assert.equal(seen.size, 15);
  },
  'after the loss of everything, a watch yields reset and goes on': async subject => {
    const { store } = subject;
    await using mirror = new Mirror(store, '');
    for (let round = 1; round <= 3; round++) {
      await store.setMany(times(10, i => [`key-${i}`, bytes(String(round))]));
      await until(subject, () => mirror.state.size === 10);
      await ability(subject, 'lose')();
      if (round === 2) await store.set('at once', bytes(''));
      await until(subject, () => mirror.resets >= round);
      await mirror.agrees(subject, store, '');
      await store.set('after', bytes(String(round)));
      await until(subject, () => mirror.state.get('after') === String(round));
      await store.delete('at once');
      await store.delete('after');
    }
  },
};

const breakTests: Tests = {
  'after a dropped connection the store goes on, and a watch misses nothing': async subject => {
    const { store } = subject;
    await using mirror = new Mirror(store, '');
    const succeeds = async (work: () => Promise<unknown>) => {
      const isDone = () =>
        work().then(
          () => true,
          () => false,
        );
      await until(subject, isDone);
    };
    for (let round = 1; round <= 5; round++) {
      await succeeds(() => store.set('key', bytes(`before ${round}`)));
      await ability(subject, 'break')();
      await succeeds(() => store.set('key', bytes(`after ${round}`)));
      await succeeds(() => store.set(`key-${round}`, bytes('')));
      await until(subject, () => mirror.state.get('key') === `after ${round}`);
      await mirror.agrees(subject, store, '');
    }
    assert.equal(textOf(await store.get('key')), 'after 5');
  },
};

function ability<A extends 'other' | 'lose' | 'break'>(subject: Subject, name: A): NonNullable<Subject[A]> {
  const does = subject[name];
  assert(does, `the features promise \`${name}\`, which the subject does not have`);
  return does.bind(subject) as NonNullable<Subject[A]>;
}
