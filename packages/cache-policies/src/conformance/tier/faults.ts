import assert from 'node:assert/strict';
import {
  entryOf,
  fillOne,
  leaseOf,
  longMs,
  type ObservedSession,
  readText,
  type Scene,
  type TierFeatures,
  type TierTests,
  write,
} from './subject.ts';

/** The tests for what the subject can do besides, each under its feature. */
export function faultTests({ empties, breaks, loses }: TierFeatures): TierTests {
  return { ...(empties ? emptyTests : {}), ...(breaks ? breakTests : {}), ...(loses ? lossTests : {}) };
}

const resets = ({ events }: ObservedSession) => events.filter(({ kind }) => kind === 'reset').length;

const emptyTests: TierTests = {
  'a tier that was emptied refuses what was leased before, also once the key is leased anew': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    for (let round = 0; round < 3; round++) {
      const old = await leaseOf(a, 'key');
      await ability(scene, 'empty')();
      assert.equal(await fillOne(a, 'key', old, entryOf('old')), false);
      const next = await leaseOf(b, 'key');
      const again = await leaseOf(a, 'again');
      assert.equal(await fillOne(a, 'key', old, entryOf('old')), false);
      assert.equal(await fillOne(b, 'key', next, entryOf('new', { tags: ['tag'] })), true);
      assert.equal(await fillOne(a, 'again', again, entryOf('1')), true);
      assert.equal(await readText(a, 'key'), 'new');
      await b.invalidateTags(['tag']);
      await b.invalidate(['again']);
      assert.equal(await readText(a, 'key'), undefined);
    }
  },
  'every session says reset when the tier was emptied, and receives later changes': async scene => {
    const [a, b] = await scene.pair();
    for (let round = 1; round <= 3; round++) {
      await write(a.session, 'key', entryOf('1'));
      await ability(scene, 'empty')();
      const limit = scene.now() + b.session.boundMs;
      await scene.until(() =>
        [a, b].every(observed => resets(observed) >= round || observed.session.confirmedUntil > limit),
      );
      assert([a, b].every(observed => resets(observed) >= round));
      await scene.until(() => b.session.confirmedUntil > scene.now());
      await a.session.invalidate([`after-${round}`]);
      await scene.until(() => b.events.some(({ what }) => what === `after-${round}`));
    }
  },
};

const breakTests: TierTests = {
  'a session whose connection broke resets before it is connected, and confirms again': async scene => {
    const [a, b] = await scene.pair();
    await ability(scene, 'break')();
    await scene.until(() =>
      [a, b].every(({ events }) =>
        events.some(({ kind, what }) => kind === 'connection' && what === 'connected'),
      ),
    );
    for (const { events } of [a, b]) {
      const names = events.map(({ what }) => what);
      assert(names.indexOf('disconnected') < names.indexOf('reconnected'), names.join());
      assert(names.lastIndexOf('reconnected') < names.lastIndexOf('connected'), names.join());
    }
    await scene.until(() => [a, b].every(({ session }) => session.confirmedUntil > scene.now()));
    await a.session.invalidate(['after']);
    await scene.until(() => b.events.some(({ what }) => what === 'after'));
  },
};

const lossTests: TierTests = {
  'the last message is lost: nothing is confirmed beyond the bound before a reset': async scene => {
    const [a, b] = await scene.pair();
    const endLoss = await ability(scene, 'lose')();
    await a.session.invalidate(['lost']);
    const limit = scene.now() + b.session.boundMs;
    await scene.pass(3 * b.session.boundMs + 100);
    assert(resets(b) > 0 || b.session.confirmedUntil <= limit, 'it may serve beyond the bound');
    await endLoss();
    await scene.until(() => resets(b) > 0);
    await scene.until(() => b.session.confirmedUntil > scene.now());
    assert.equal(
      b.events.some(({ what }) => what === 'lost'),
      false,
    );
  },
  'a message in between is lost: the next one shows the gap': async scene => {
    const [a, b] = await scene.pair();
    const endLoss = await ability(scene, 'lose')();
    await a.session.announce(['lost'], longMs);
    await endLoss();
    await a.session.invalidate(['next']);
    await scene.until(() => resets(b) > 0);
    await scene.until(() => b.session.confirmedUntil > scene.now());
    await a.session.invalidate(['later']);
    await scene.until(() => b.events.some(({ what }) => what === 'later'));
  },
};

function ability<N extends 'empty' | 'break' | 'lose'>(
  { subject }: Scene,
  name: N,
): NonNullable<Scene['subject'][N]> {
  const found = subject[name]?.bind(subject);
  if (found === undefined) throw new Error(`the subject has the feature but no \`${name}\``);
  return found as NonNullable<Scene['subject'][N]>;
}
