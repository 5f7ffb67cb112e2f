import assert from 'node:assert/strict';
import { entryOf, leaseOf, longMs, readText, type TierTests, textOf, write } from './subject.ts';

export const valueTests: TierTests = {
  'what one session writes, every session reads, with its durations, cost and tags': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    await write(a, 'key', entryOf('value', { freshMs: 20_000, keepMs: 40_000, tags: ['x', 'y z'] }));
    const [{ entry } = {}] = await b.read(['key']);
    assert.equal(textOf({ entry: entry! }), 'value');
    assert.equal(entry!.costMs, 7);
    assert.deepEqual([...entry!.tags].sort(), ['x', 'y z']);
    assert(entry!.freshMs > 10_000 && entry!.freshMs <= 20_000, `fresh for ${entry!.freshMs}`);
    const apartMs = entry!.keepMs - entry!.freshMs;
    assert(Math.abs(apartMs - 20_000) <= 2, `kept ${apartMs} ms longer than fresh`);
    await write(b, 'key', entryOf('newer'));
    assert.equal(await readText(a, 'key'), 'newer');
  },
  'a negative answer is kept as such, and empty bytes are a value': async scene => {
    const { session } = await scene.open();
    await session.write(
      new Map([
        ['nothing', entryOf(undefined)],
        ['empty', entryOf('')],
      ]),
    );
    const [nothing, empty, absent] = await session.read(['nothing', 'empty', 'absent']);
    assert(nothing!.entry !== undefined && nothing!.entry.value === undefined);
    assert.equal(empty!.entry?.value?.length, 0);
    assert.equal(absent!.entry, undefined);
  },
  'get gives the bytes of what is kept': async scene => {
    const { session } = await scene.open();
    await write(session, 'key', entryOf('value', { freshMs: 0 }));
    await write(session, 'nothing', entryOf(undefined));
    const { tier } = scene.subject;
    assert.equal(new TextDecoder().decode(await tier.get('key')), 'value');
    assert.equal(await tier.get('nothing'), undefined);
    assert.equal(await tier.get('absent'), undefined);
  },
  'read gives each key its place, also twice or absent': async scene => {
    const { session } = await scene.open();
    assert.deepEqual(await session.read([]), []);
    await session.write(
      new Map([
        ['a', entryOf('1')],
        ['b', entryOf('2')],
      ]),
    );
    const found = await session.read(['b', 'none', 'a', 'b']);
    assert.deepEqual(found.map(textOf), ['2', undefined, '1', '2']);
  },
  'keys and bytes of every kind stay apart': async scene => {
    const { session } = await scene.open();
    const keys = ['', ' ', 'a', 'A', 'a:b', 'a:b:', '{a}b', 'ü', '👾', 'a\nb', '*', 'x'.repeat(500)];
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const entries = keys.map((key, i) => [key, { ...entryOf(''), value: bytes.subarray(i) }] as const);
    await session.write(new Map(entries));
    const found = await session.read(keys);
    for (const [i, { entry }] of found.entries())
      assert.deepEqual(new Uint8Array(entry!.value!), bytes.slice(i));
  },
  'stale is read until its keeping ends': async scene => {
    const { session } = await scene.open();
    await write(session, 'key', entryOf('value', { freshMs: 100, keepMs: 5_000 }));
    await write(session, 'brief', entryOf('value', { freshMs: 100, keepMs: 100 }));
    await scene.pass(300);
    const [{ entry } = {}, brief] = await session.read(['key', 'brief']);
    assert(entry!.freshMs <= 0 && entry!.freshMs > -4_900, `fresh for ${entry!.freshMs}`);
    assert(entry!.keepMs > 0 && entry!.keepMs < 4_900, `kept for ${entry!.keepMs}`);
    assert.equal(brief!.entry, undefined);
  },
  'what has no end is fresh for ever': async scene => {
    const { session } = await scene.open();
    const endless = { freshMs: Number.POSITIVE_INFINITY, keepMs: Number.POSITIVE_INFINITY };
    await write(session, 'key', entryOf('written', endless));
    const lease = await leaseOf(session, 'filled');
    await session.fill([{ key: 'filled', lease, entry: entryOf('filled', endless) }]);
    await scene.pass(50);
    for (const { entry } of await session.read(['key', 'filled'])) {
      assert.equal(entry?.freshMs, Number.POSITIVE_INFINITY);
      assert.equal(entry.keepMs, Number.POSITIVE_INFINITY);
    }
  },
  'a tag takes what has it, in every session, and nothing else': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    await a.write(
      new Map([
        ['both', entryOf('1', { tags: ['x', 'y'] })],
        ['other', entryOf('2', { tags: ['y'] })],
        ['none', entryOf('3')],
      ]),
    );
    await b.invalidateTags(['x', 'unknown']);
    assert.deepEqual((await a.read(['both', 'other', 'none'])).map(textOf), [undefined, '2', '3']);
    await write(a, 'both', entryOf('4', { tags: ['x'] }));
    assert.equal(await readText(b, 'both'), '4');
  },
  'clear takes everything': async scene => {
    const [{ session: a }, { session: b }] = await scene.pair();
    await write(a, 'key', entryOf('1', { keepMs: longMs }));
    await b.clear();
    assert.equal(await readText(a, 'key'), undefined);
    await write(a, 'key', entryOf('2'));
    assert.equal(await readText(b, 'key'), '2');
  },
};
