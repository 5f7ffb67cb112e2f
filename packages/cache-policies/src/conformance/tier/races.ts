import assert from 'node:assert/strict';
import type { TierSession } from '../../tiers/remote-tier.ts';
import {
  entryOf,
  fillOne,
  leaseOf,
  longMs,
  readText,
  type Scene,
  type TierTests,
  textOf,
  write,
} from './subject.ts';

type Change = (session: TierSession) => Promise<unknown>;

const changes: Readonly<Record<string, Change>> = {
  'a write': session => write(session, 'key', entryOf('new')),
  'an invalidation': session => session.invalidate(['unrelated', 'key']),
  'a clear': session => session.clear(),
  'an announcement': session => session.announce(['key'], longMs),
  'an invalidation of its tag': session => session.invalidateTags(['tag']),
};

/** A reader of the source from before a change cannot put back what it read. */
const refusals: TierTests = Object.fromEntries(
  Object.entries(changes).flatMap(([what, change]) => [
    [`a fill is refused after ${what} by the same session`, refused(change, 'the same')],
    [`a fill is refused after ${what} by another session`, refused(change, 'another')],
  ]),
);

function refused(change: Change, whose: 'the same' | 'another'): (scene: Scene) => Promise<void> {
  return async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    const lease = await leaseOf(a, 'key');
    await change(whose === 'the same' ? a : b);
    assert.equal(await fillOne(a, 'key', lease, entryOf('old', { tags: ['tag'] })), false);
    assert.notEqual(await readText(b, 'key'), 'old');
  };
}

export const raceTests: TierTests = {
  ...refusals,
  'a fill is refused after a change, also while another has the lease or has filled': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    const old = await leaseOf(a, 'key');
    await b.invalidate(['key']);
    const next = await leaseOf(b, 'key');
    assert.equal(await fillOne(a, 'key', old, entryOf('old')), false);
    assert.equal(await fillOne(b, 'key', next, entryOf('new')), true);
    assert.equal(await fillOne(a, 'key', old, entryOf('old')), false);
    assert.equal(await readText(a, 'key'), 'new');
  },
  'a change of one key or tag leaves the leases of others': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    const lease = await leaseOf(a, 'key');
    await b.invalidate(['other', 'ke', 'key2']);
    await b.invalidateTags(['other']);
    assert.equal(await fillOne(a, 'key', lease, entryOf('1', { tags: ['tag'] })), true);
    assert.equal(await readText(b, 'key'), '1');
  },
  'a writer of the source first takes the lease, so that no reader stores what it read before':
    async scene => {
      const [{ session: writer }, { session: reader }] = await scene.pair();
      const reading = await leaseOf(reader, 'key');
      const [writing] = await writer.announce(['key'], longMs);
      assert.equal(await fillOne(reader, 'key', reading, entryOf('old')), false);
      const [read] = await reader.read(['key'], { leaseMs: longMs });
      assert(read!.entry === undefined && read!.lease === undefined && read!.busyMs! > 0);
      assert.equal(await fillOne(writer, 'key', writing!, entryOf('new')), true);
      assert.equal(await readText(reader, 'key'), 'new');
    },
  'of two that write the source at once, neither stores unless it was alone': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    const [first] = await a.announce(['key'], longMs);
    const [second] = await b.announce(['key'], longMs);
    assert.equal(await fillOne(a, 'key', first!, entryOf('a')), false);
    await a.invalidate(['key']);
    assert.equal(await fillOne(b, 'key', second!, entryOf('b')), false);
    assert.equal(await readText(a, 'key'), undefined);
  },
  'a writer that died frees its keys after its time': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    const leases = await a.announce(['x', 'y'], 100);
    assert.equal(new Set(leases).size, 2);
    await scene.pass(300);
    const reads = await b.read(['x', 'y'], { leaseMs: longMs });
    assert(reads.every(({ lease }) => lease !== undefined));
    assert.deepEqual(reads.map(textOf), [undefined, undefined]);
  },
};
