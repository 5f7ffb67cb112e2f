import assert from 'node:assert/strict';
import { entryOf, fillOne, leaseOf, longMs, readText, type TierTests, textOf, write } from './subject.ts';

export const leaseTests: TierTests = {
  'of fifty readers over two sessions, one gets the lease': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    const reads = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? a : b).read(['key'], { leaseMs: 5_000 })),
    );
    const flat = reads.flat();
    assert.equal(flat.filter(({ lease }) => lease !== undefined).length, 1);
    const busy = flat.filter(({ busyMs }) => busyMs !== undefined && busyMs > 0 && busyMs <= 5_000);
    assert.equal(busy.length, 49);
  },
  'of a key that is asked for twice in one read, one lease is given': async scene => {
    const { session } = await scene.open();
    const [first, second] = await session.read(['key', 'key'], { leaseMs: longMs });
    assert.equal(typeof first?.lease, 'string');
    assert.equal(second?.lease, undefined);
  },
  'no lease is given unasked, or while the value is fresh': async scene => {
    const { session } = await scene.open();
    assert.deepEqual(await session.read(['key']), [{}]);
    await write(session, 'key', entryOf('1'));
    const [read] = await session.read(['key'], { leaseMs: longMs });
    assert.equal(textOf(read!), '1');
    assert(read!.lease === undefined && read!.busyMs === undefined);
    await session.invalidate(['key']);
    await leaseOf(session, 'key');
  },
  'a stale value comes with a lease for one': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    await write(a, 'key', entryOf('old', { freshMs: 0 }));
    const [first] = await a.read(['key'], { leaseMs: longMs });
    const [second] = await b.read(['key'], { leaseMs: longMs });
    assert.deepEqual([textOf(first!), textOf(second!)], ['old', 'old']);
    assert(first!.lease !== undefined && second!.lease === undefined && second!.busyMs! > 0);
    assert.equal(await fillOne(a, 'key', first!.lease, entryOf('new')), true);
    assert.equal(await readText(b, 'key'), 'new');
  },
  'a value that is soon stale comes with a lease for a reader that refreshes ahead': async scene => {
    const { session } = await scene.open();
    await write(session, 'key', entryOf('1', { freshMs: 30_000 }));
    const [early] = await session.read(['key'], { leaseMs: longMs, minFreshMs: 10_000 });
    assert.equal(early!.lease, undefined);
    const [late] = await session.read(['key'], { leaseMs: longMs, minFreshMs: 30_000 });
    assert(late!.lease !== undefined && textOf(late!) === '1');
    const endless = { freshMs: Number.POSITIVE_INFINITY, keepMs: Number.POSITIVE_INFINITY };
    await write(session, 'endless', entryOf('2', endless));
    const [always] = await session.read(['endless'], {
      leaseMs: longMs,
      minFreshMs: Number.POSITIVE_INFINITY,
    });
    assert(always!.lease !== undefined && textOf(always!) === '2');
  },
  'a lease fills once': async scene => {
    const { session } = await scene.open();
    const lease = await leaseOf(session, 'key');
    assert.equal(await fillOne(session, 'key', lease, entryOf('1', { freshMs: 0 })), true);
    assert.equal(await fillOne(session, 'key', lease, entryOf('2')), false);
    assert.equal(await readText(session, 'key'), '1');
    assert.notEqual(await leaseOf(session, 'key'), lease);
  },
  'a lease that was never given, or is of another key, fills nothing': async scene => {
    const { session } = await scene.open();
    const lease = await leaseOf(session, 'key');
    assert.equal(await fillOne(session, 'other', lease, entryOf('1')), false);
    assert.equal(await fillOne(session, 'other', '', entryOf('1')), false);
    assert.equal(await fillOne(session, 'key', 'made up', entryOf('1')), false);
    assert.deepEqual((await session.read(['key', 'other'])).map(textOf), [undefined, undefined]);
    assert.equal(await fillOne(session, 'key', lease, entryOf('2')), true);
  },
  'many fills are each on their own': async scene => {
    const { session } = await scene.open();
    const [a, b] = [await leaseOf(session, 'a'), await leaseOf(session, 'b')];
    await session.invalidate(['a']);
    const fills = [
      { key: 'a', lease: a, entry: entryOf('1') },
      { key: 'b', lease: b, entry: entryOf('2') },
    ];
    assert.deepEqual(await session.fill(fills), [false, true]);
    assert.deepEqual(await session.fill([]), []);
  },
  'after its time a lease is refused, and the next reader gets one': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    const lease = await leaseOf(a, 'key', 100);
    await scene.pass(300);
    assert.equal(await fillOne(a, 'key', lease, entryOf('late')), false);
    const next = await leaseOf(b, 'key');
    assert.notEqual(next, lease);
    assert.equal(await fillOne(a, 'key', lease, entryOf('late')), false);
    assert.equal(await fillOne(b, 'key', next, entryOf('new')), true);
    assert.equal(await readText(a, 'key'), 'new');
  },
  'a lease that was given back is free for the next, and fills no more': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    const lease = await leaseOf(a, 'key');
    assert.deepEqual(await a.release([{ key: 'key', lease: 'not mine' }]), [false]);
    assert.deepEqual(await a.release([{ key: 'key', lease }]), [true]);
    assert.deepEqual(await a.release([{ key: 'key', lease }]), [false]);
    assert.equal(await fillOne(a, 'key', lease, entryOf('1')), false);
    await leaseOf(b, 'key');
  },
};
