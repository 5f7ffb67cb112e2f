import { setImmediate } from 'node:timers/promises';
import { InvalidOptionError } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import { EntryTooLargeError, MissingVersionError, type SourceContext } from '../../src/index.ts';
import { preparedOf, uniform } from '../support/prepared.ts';
import { gate, minuteMs, outage, site } from '../support/site.ts';

/** The keys of the store under a prefix. */
async function keysOf({ store }: ReturnType<typeof site>, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

/** What is 400 bytes long, so that a few thousand fill several chunks. */
const long = (value: number) => `${value}`.padEnd(400);

describe('a version', () => {
  it('is served by every process, from the run of one', async () => {
    const place = site();
    let value = 0;
    const all = [1, 2, 3].map(() =>
      preparedOf(
        place,
        uniform(3, () => ++value),
      ),
    );
    await Promise.all(all.map(({ best }) => best.start()));
    expect(all[0]!.best.get('key 0')).toEqual({
      value: undefined,
      status: 'missing',
      version: 0,
      ageMs: Infinity,
    });
    await place.clock.advance(minuteMs);
    await place.clock.advance(1_000);
    for (const { best } of all) {
      expect(best.get('key 2')).toEqual({ value: 1, status: 'fresh', version: 1, ageMs: 1_000 });
      expect(best.get('other').status).toBe('missing');
    }
    expect(value).toBe(1);
  });

  it('is there at boot', async () => {
    const place = site();
    const first = preparedOf(
      place,
      uniform(3, () => 7),
    );
    await first.best.start();
    await place.clock.advance(minuteMs);
    const second = preparedOf(
      place,
      uniform(3, () => 8),
    );
    await second.best.start();
    expect(second.best.get('key 1').value).toBe(7);
  });

  it('lies in chunks of at most 1 MiB, under a prefix of its own', async () => {
    const place = site();
    const { best, machine } = preparedOf<string>(place, () =>
      Array.from({ length: 6_000 }, (_, index) => [`key ${index}`, long(index)] as const),
    );
    const sizes: number[] = [];
    const { set } = machine.store;
    machine.store.set = (key, value, options) => {
      sizes.push(value.length);
      return set(key, value, options);
    };
    await best.start();
    await place.clock.advance(minuteMs);
    while (best.get('key 5999').value === undefined) await setImmediate(); // A chunk a turn
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 ** 20);
    const chunks = await keysOf(place, 'precompute/best/versions/1/chunks/');
    expect(chunks.length).toBe(3);
    expect(best.get('key 5999').value).toBe(long(5_999));
    expect(await best.versions()).toMatchObject([{ version: 1, entries: 6_000, isCurrent: true }]);
  });

  it('is never seen in part: readers of all keys, at every step of its building', async () => {
    const place = site();
    let value = 0;
    const writer = preparedOf(
      place,
      uniform(50, () => ++value),
    );
    const reader = preparedOf(
      place,
      uniform(50, () => ++value),
    );
    await writer.best.start();
    await place.clock.advance(minuteMs);
    await reader.best.start();
    let reads = 0;
    let isTorn = false;
    const look = () => {
      for (const { best } of [writer, reader]) {
        const values = new Set(Array.from({ length: 50 }, (_, index) => best.get(`key ${index}`).value));
        isTorn ||= values.size !== 1 || values.has(undefined);
        reads++;
      }
    };
    for (const { machine } of [writer, reader]) {
      machine.before = look;
      machine.after = look;
    }
    await place.clock.advance(20 * minuteMs);
    expect(reads).toBeGreaterThan(500);
    expect(isTorn).toBe(false);
    expect(reader.best.snapshot()).toMatchObject({ version: 21, entries: 50, isFresh: true });
  });

  it('is kept by who has pinned it', async () => {
    const place = site();
    let value = 0;
    const { best } = preparedOf(
      place,
      uniform(2, () => ++value),
    );
    await best.start();
    await place.clock.advance(minuteMs);
    const pinned = best.pin();
    await place.clock.advance(5 * minuteMs);
    expect([pinned.version, pinned.get('key 0').value, pinned.get('key 1').value]).toEqual([1, 1, 1]);
    expect(best.get('key 1').value).toBe(6);
  });

  it('leaves nothing behind: so many are kept, and the grace of the readers', async () => {
    const place = site();
    let value = 0;
    const { best } = preparedOf(
      place,
      uniform(2, () => ++value),
      { keep: 2, readersGraceMs: 90_000 },
    );
    await best.start();
    await place.clock.advance(6 * minuteMs + 1_000);
    expect((await best.versions()).map(({ version }) => version)).toEqual([5, 6]);
    const keys = await keysOf(place, 'precompute/best/versions/');
    const versions = new Set(keys.map(key => Number(key.split('/')[3])));
    expect([...versions].sort()).toEqual([3, 4, 5, 6]);
  });

  it('of which a chunk is missing or damaged is not served: the one before it stays', async () => {
    for (const damage of ['missing', 'damaged'] as const) {
      const place = site();
      let value = 0;
      const writer = preparedOf(
        place,
        uniform(2, () => ++value),
      );
      const reader = preparedOf(
        place,
        uniform(2, () => 0),
      );
      await writer.best.start();
      await place.clock.advance(minuteMs);
      await reader.best.start();
      await writer.best.pause();
      reader.machine.before = () => {
        throw outage();
      };
      const refreshed = writer.best.refresh();
      await place.clock.advance(10_000);
      await refreshed;
      expect(writer.best.get('key 0').value).toBe(2);
      const [chunk] = await keysOf(place, 'precompute/best/versions/2/chunks/');
      if (damage === 'missing') await place.store.delete(chunk!);
      else await place.store.set(chunk!, new Uint8Array(3));
      reader.machine.before = () => {};
      await place.clock.advance(20_000);
      expect(reader.best.get('key 0')).toMatchObject({ value: 1, version: 1 });
      await writer.best.resume();
      await place.clock.advance(minuteMs);
      expect(reader.best.get('key 0')).toMatchObject({ status: 'fresh', version: 3 });
    }
  });
});

describe('a run', () => {
  it.each([
    [
      'fails',
      () => {
        throw new TypeError('no such table');
      },
      'failed',
    ],
    ['has nothing', () => [], 'rejected'],
    ['has a value that JSON does not keep', () => [['key 0', Number.NaN]] as const, 'failed'],
  ] as const)('that %s leaves the last good version', async (_what, entries, status) => {
    const place = site();
    let isBad = false;
    const good = uniform(3, () => 1);
    const { best } = preparedOf<number>(place, () => (isBad ? entries() : good()));
    await best.start();
    await place.clock.advance(minuteMs);
    isBad = true;
    await place.clock.advance(minuteMs);
    expect((await best.history())[0]).toMatchObject({ status });
    expect(best.get('key 0')).toMatchObject({ value: 1, version: 1 });
    isBad = false;
    await place.clock.advance(minuteMs);
    expect(best.get('key 0')).toMatchObject({ status: 'fresh', version: 3 });
    // What the failed run has written is gone
    const keys = await keysOf(place, 'precompute/best/versions/2/');
    expect(keys).toEqual([]);
  });

  it.each([
    [{ maxDelta: 0.5 }, 100, 40, 'it has 40 entries after 100, which is more than 0.5 of them'],
    [{ maxDelta: 0.5 }, 100, 160, 'it has 160 entries after 100, which is more than 0.5 of them'],
    [{ minEntries: 50 }, 100, 40, 'it has 40 entries, at least 50 are expected'],
    [{ check: () => false }, 0, 5, '`validate.check` has refused it'],
    [{ check: () => Promise.reject(new Error('too dear')) }, 0, 5, '`validate.check` has thrown: too dear'],
  ])('with validate %j, and %d entries before %d, is rejected', async (validate, before, after, why) => {
    const place = site();
    let count = before;
    const { best } = preparedOf(place, () => uniform(count, () => 1)(), { validate });
    await best.start();
    if (before > 0) await place.clock.advance(minuteMs);
    count = after;
    await place.clock.advance(minuteMs);
    const [record] = await best.history();
    expect(record).toMatchObject({ status: 'rejected', error: { name: 'ValidationError' } });
    expect(record!.error!.message).toContain(why);
    expect(best.snapshot().entries).toBe(before);
  });

  it('is validated by what it has written: distinct keys, nulls, and its entries', async () => {
    const place = site();
    const seen: unknown[] = [];
    const { best } = preparedOf<number | null>(
      place,
      () =>
        [
          ['a', 1],
          ['b', null],
          ['a', 2],
          ['c', null],
          ['d', 4],
          ['d', undefined],
        ] as const,
      {
        validate: {
          maxNullRate: 0.7,
          check: async candidate => {
            const { entries, nulls, previous } = candidate;
            const read = [];
            for await (const entry of candidate.entriesOf()) read.push(entry);
            seen.push({ entries, nulls, previous }, read);
            return true;
          },
        },
      },
    );
    await best.start();
    await place.clock.advance(minuteMs);
    expect(seen).toEqual([
      { entries: 3, nulls: 2, previous: undefined },
      [
        ['a', 1],
        ['b', null],
        ['a', 2],
        ['c', null],
        ['d', 4],
        ['d', undefined],
      ],
    ]);
    expect([best.get('a').value, best.get('b').value, best.get('d').status]).toEqual([2, null, 'missing']);
  });

  it.each([
    ['nothing, as a `return` that was forgotten', undefined, 'got undefined'],
    ['a count', 1, 'got 1 (number)'],
    ['a text', Promise.resolve('false'), 'got "false"'],
  ])('whose check returns %s is rejected', async (_, verdict, said) => {
    const place = site();
    const { best } = preparedOf(place, () => [['a', 1]], { validate: { check: () => verdict as never } });
    await best.start();
    await place.clock.advance(minuteMs);
    const [record] = await best.history();
    expect(record).toMatchObject({ status: 'rejected', error: { message: expect.stringContaining(said) } });
    expect(await best.versions()).toEqual([]);
  });

  it('with too many nulls is rejected', async () => {
    const place = site();
    const { best } = preparedOf<number | null>(
      place,
      () => [
        ['a', 1],
        ['b', null],
      ],
      { validate: { maxNullRate: 0.4 } },
    );
    await best.start();
    await place.clock.advance(minuteMs);
    expect((await best.history())[0]).toMatchObject({ status: 'rejected' });
  });

  it('with an entry that no chunk can hold has failed', async () => {
    const place = site();
    const { best } = preparedOf<string>(place, () => [['huge', 'x'.repeat(2 ** 20)]]);
    await best.start();
    await place.clock.advance(minuteMs);
    expect((await best.history())[0]).toMatchObject({
      status: 'failed',
      error: { code: EntryTooLargeError.code },
    });
  });

  it.each(['before', 'after'] as const)(
    'that times out %s its flip has the status of what it did',
    async moment => {
      const place = site();
      const { best, machine } = preparedOf(place, () => [['key', 1]], { timeoutMs: 10_000, graceMs: 20_000 });
      await best.start();
      let flips = 0;
      machine[moment] = async (method, key) => {
        // The first write of the pointer reserves a version, the second one is the flip
        if (method === 'set' && key === 'precompute/best/pointer' && ++flips === 2)
          await place.clock.sleep(15_000);
      };
      await place.clock.advance(minuteMs + 30_000);
      const isPublished = (await best.versions()).length === 1;
      const [record] = await best.history();
      expect([record!.status, isPublished]).toEqual(
        moment === 'before' ? ['timed-out', false] : ['succeeded', true],
      );
    },
  );

  it('that stood still publishes nothing over the run that took its place', async () => {
    const place = site();
    const stuck = gate();
    let isFirst = true;
    const first = preparedOf(
      place,
      async function* () {
        yield ['key', 1] as const;
        if (!isFirst) return;
        isFirst = false;
        await stuck.opened;
      },
      { graceMs: 600_000 },
    );
    await first.best.start();
    await place.clock.advance(minuteMs);
    // It is stopped: its clock, its lease and its signal stand still as well
    const context = first.contexts[0]!;
    first.machine.before = method => {
      if (method === 'claim') throw outage();
    };
    const second = preparedOf(place, () => [['key', 2]]);
    await second.best.start();
    await place.clock.advance(30_000);
    expect(second.best.get('key')).toMatchObject({ value: 2, version: 2 });
    expect(context.signal.aborted).toBe(true);
    stuck.open();
    await place.clock.advance(10_000);
    expect(second.best.get('key')).toMatchObject({ value: 2, version: 2 });
    expect((await second.best.history()).map(({ status, attempt }) => [status, attempt])).toEqual([
      ['succeeded', 2],
    ]);
  });

  it('publishes at most once, whatever answer is lost', async () => {
    for (const moment of ['before', 'after'] as const) {
      for (let nth = 1; nth <= 8; nth++) {
        const place = site();
        let value = 0;
        const { best, machine } = preparedOf(
          place,
          uniform(2, () => ++value),
        );
        await best.start();
        let writes = 0;
        machine[moment] = method => {
          if (method === 'set' && ++writes === nth) throw outage();
        };
        await place.clock.advance(minuteMs);
        await place.clock.advance(30_000);
        const label = `${moment} write ${nth}`;
        expect(await best.versions(), label).toMatchObject([{ isCurrent: true }]);
        expect(await best.history(), label).toMatchObject([{ status: 'succeeded' }]);
        expect(best.get('key 1').value, label).toBe(value);
      }
    }
  });

  it('is finished or begun again after a crash at any of its calls', async () => {
    let calls = Infinity;
    for (let nth = 1; nth <= calls; nth++) {
      const place = site();
      const victim = preparedOf(
        place,
        uniform(2, () => 1),
      );
      await victim.best.start();
      let count = 0;
      victim.machine.before = () => {
        if (++count === nth) victim.machine.kill();
      };
      await place.clock.advance(minuteMs);
      await place.clock.advance(1);
      if (count < nth) {
        calls = nth - 1;
        break;
      }
      const other = preparedOf(
        place,
        uniform(2, () => 1),
      );
      await other.best.start();
      await place.clock.advance(25_000);
      const label = `call ${nth}`;
      expect(other.best.get('key 1').value, label).toBe(1);
      const history = await other.best.history();
      expect(
        history.map(({ status }) => status),
        label,
      ).toEqual(['succeeded']);
      expect((await other.best.versions()).length, label).toBe(1);
    }
    expect(calls).toBeGreaterThan(15);
    expect(calls).toBeLessThan(60);
  });

  it('goes on after a crash with the chunks it has written', async () => {
    const place = site();
    const stuck = gate();
    const pages = async function* (context: SourceContext, stopAt: number) {
      const from = ((context.cursor as number | undefined) ?? 0) + 1;
      for (let page = from; page <= 4; page++) {
        if (page === stopAt) await stuck.opened;
        for (let row = 0; row < 10; row++) yield [`${page}/${row}`, page * context.attempt] as const;
        await context.checkpoint(page);
      }
    };
    const victim = preparedOf(place, context => pages(context, 3), { graceMs: 0 });
    await victim.best.start();
    await place.clock.advance(minuteMs);
    victim.machine.kill();
    const other = preparedOf(place, context => pages(context, 0));
    await other.best.start();
    await place.clock.advance(25_000);
    expect(other.contexts[0]).toMatchObject({ cursor: 2, attempt: 2 });
    const { best } = other;
    expect(['1/0', '2/9', '3/0', '4/9'].map(key => best.get(key).value)).toEqual([1, 2, 6, 8]);
    expect(await best.versions()).toMatchObject([{ version: 1, entries: 40 }]);
  });
});

describe('rollback', () => {
  async function three() {
    const place = site();
    let value = 0;
    const all = [1, 2].map(() =>
      preparedOf(
        place,
        uniform(2, () => ++value),
      ),
    );
    await Promise.all(all.map(({ best }) => best.start()));
    await place.clock.advance(3 * minuteMs);
    const [{ best }, { best: other }] = all as [(typeof all)[0], (typeof all)[0]];
    return { place, best, other };
  }

  it('serves the version before in every process, and holds publishing until resume', async () => {
    const { place, best, other } = await three();
    expect(best.get('key 0').value).toBe(3);
    await best.rollback();
    expect(best.get('key 0')).toMatchObject({ value: 2, version: 2 });
    await place.clock.advance(2 * minuteMs);
    expect(other.get('key 0')).toMatchObject({ value: 2, version: 2 });
    expect((await best.history()).slice(0, 3).map(({ status }) => status)).toEqual([
      'superseded',
      'superseded',
      'succeeded',
    ]);
    await best.resume();
    await place.clock.advance(minuteMs);
    expect(other.get('key 0')).toMatchObject({ status: 'fresh', version: 4 });
  });

  it('serves a version by its number, and refuses one that is not there', async () => {
    const { best } = await three();
    await best.rollback(1);
    expect(best.get('key 0')).toMatchObject({ value: 1, version: 1 });
    await expect(best.rollback()).rejects.toThrow(MissingVersionError);
    await expect(best.rollback(9)).rejects.toThrow('kept are 1, 2, 3');
    await expect(best.rollback('1' as never)).rejects.toThrow(InvalidOptionError);
    expect(best.get('key 0')).toMatchObject({ version: 1 });
  });

  it('refuses a version of which a chunk is missing', async () => {
    const { place, best } = await three();
    const [chunk] = await keysOf(place, 'precompute/best/versions/2/chunks/');
    await place.store.delete(chunk!);
    await expect(best.rollback()).rejects.toThrow(MissingVersionError);
    expect(best.get('key 0')).toMatchObject({ version: 3 });
  });

  it('stops a run that has begun before it, also after resume', async () => {
    const place = site();
    const held = gate();
    let count = 0;
    const { best } = preparedOf(place, async function* () {
      if (++count === 3) await held.opened;
      yield ['key', count] as const;
    });
    await best.start();
    await place.clock.advance(3 * minuteMs);
    await best.rollback();
    await best.resume();
    held.open();
    await place.clock.advance(1);
    expect((await best.history())[0]).toMatchObject({ status: 'superseded' });
    expect(best.get('key')).toMatchObject({ value: 1 });
  });
});
