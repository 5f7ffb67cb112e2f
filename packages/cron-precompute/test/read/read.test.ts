import { InvalidOptionError } from '@ashlar/core';
import { memoryStore } from '@ashlar/store';
import { describe, expect, it } from 'vitest';
import { OverloadedError, Precompute, TooStaleError } from '../../src/index.ts';
import { preparedOf, uniform } from '../support/prepared.ts';
import { ending, gate, minuteMs, outage, site } from '../support/site.ts';

describe('freshness', () => {
  async function stopped(options: Parameters<typeof preparedOf<number>>[2]) {
    const place = site();
    const prepared = preparedOf(
      place,
      uniform(1, () => 1),
      options,
    );
    await prepared.best.start();
    await place.clock.advance(minuteMs);
    await prepared.best.pause();
    return { place, ...prepared };
  }

  it('ends with the second tick after that of the data', async () => {
    const { place, best } = await stopped({});
    await place.clock.advance(2 * minuteMs - 1);
    expect(best.get('key 0').status).toBe('fresh');
    await place.clock.advance(2);
    expect(best.get('key 0')).toEqual({ value: 1, status: 'stale', version: 1, ageMs: 2 * minuteMs + 1 });
    expect(best.snapshot().isFresh).toBe(false);
  });

  it('has an age of its own', async () => {
    const { place, best } = await stopped({ freshness: { freshMs: 10_000 } });
    await place.clock.advance(10_000);
    expect(best.get('key 0').status).toBe('fresh');
    await place.clock.advance(1);
    expect(best.get('key 0').status).toBe('stale');
  });

  it('beyond it, fails when that is declared', async () => {
    const { place, best } = await stopped({ freshness: { maxStaleMs: 60_000, beyond: 'fail' } });
    await place.clock.advance(60_000);
    expect(best.get('key 0').value).toBe(1);
    await place.clock.advance(1);
    expect(() => best.get('key 0')).toThrow(TooStaleError);
    await expect(best.load('key 0')).rejects.toThrow(TooStaleError);
  });

  it('beyond it, is computed on demand when that is declared; the old value is better than none', async () => {
    let isBroken = false;
    const { place, best } = await stopped({
      freshness: { maxStaleMs: 60_000, beyond: 'compute' },
      compute: () => {
        if (isBroken) throw new Error('no database');
        return 9;
      },
      onDemand: { ttlMs: 1_000 },
    });
    await place.clock.advance(60_001);
    expect(best.get('key 0')).toMatchObject({ value: 1 });
    expect(await best.load('key 0')).toMatchObject({ value: 9, status: 'fallback', version: 1 });
    expect(best.get('key 0')).toMatchObject({ value: 9, status: 'fallback' });
    isBroken = true;
    await place.clock.advance(1_000);
    expect(await best.load('key 0')).toMatchObject({ value: 1 });
    await expect(best.load('another')).rejects.toThrow('no database');
  });
});

describe('on demand', () => {
  it('a key is computed once, however many ask, and kept', async () => {
    const place = site();
    const asked: string[] = [];
    const answer = gate<number>();
    const { best } = preparedOf<number>(place, () => [], {
      compute: key => {
        asked.push(key);
        return answer.opened;
      },
    });
    const all = Promise.all(Array.from({ length: 100 }, () => best.load('tail')));
    answer.open(5);
    const found = await all;
    expect(new Set(found.map(({ value }) => value))).toEqual(new Set([5]));
    expect(found[0]).toEqual({ value: 5, status: 'fallback', version: 0, ageMs: Infinity });
    expect(best.get('tail').value).toBe(5);
    await best.load('tail');
    expect(asked).toEqual(['tail']);
  });

  it('few are computed at once, few wait, and who leaves takes nobody along', async () => {
    const place = site();
    const gates = new Map<string, ReturnType<typeof gate<number>>>();
    const { best } = preparedOf<number>(place, () => [], {
      onDemand: { concurrency: 2, maxWaiting: 1 },
      compute: key => {
        gates.set(key, gate());
        return gates.get(key)!.opened;
      },
    });
    const stop = new AbortController();
    const loads = ['a', 'b', 'c'].map(key => best.load(key));
    const left = best.load('a', { signal: stop.signal });
    await expect(best.load('d')).rejects.toThrow(OverloadedError);
    expect([...gates.keys()]).toEqual(['a', 'b']);
    stop.abort(new Error('enough'));
    await expect(left).rejects.toThrow('enough');
    gates.get('a')!.open(1);
    expect((await loads[0])!.value).toBe(1);
    await place.clock.advance(1);
    expect([...gates.keys()]).toEqual(['a', 'b', 'c']);
    gates.get('b')!.fail(new Error('no database'));
    await expect(loads[1]).rejects.toThrow('no database');
    gates.get('c')!.open(3);
    expect((await loads[2])!.value).toBe(3);
  });

  it('keeps so many, those used last, and a key without a value', async () => {
    const place = site();
    const asked: string[] = [];
    const { best } = preparedOf<number>(place, () => [], {
      onDemand: { max: 2 },
      compute: key => {
        asked.push(key);
        return key === 'none' ? undefined : 1;
      },
    });
    for (const key of ['a', 'b', 'a', 'none', 'a', 'none', 'b']) await best.load(key);
    expect(asked).toEqual(['a', 'b', 'none', 'b']);
    expect((await best.load('none')).status).toBe('missing');
  });

  it('ends with close', async () => {
    const place = site();
    let signal: AbortSignal | undefined;
    const { best } = preparedOf<number>(place, () => [], {
      onDemand: { concurrency: 1 },
      compute: (_key, context) => {
        ({ signal } = context);
        return new Promise((_, reject) =>
          context.signal.addEventListener('abort', () => reject(context.signal.reason)),
        );
      },
    });
    const loads = ['a', 'b'].map(key => best.load(key));
    const ended = Promise.allSettled(loads);
    await best.close();
    expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(signal?.aborted).toBe(true);
  });
});

describe('keys and values', () => {
  it('of other types, with their text', async () => {
    const place = site();
    const byPair = ending(
      new Precompute<readonly [number, number], Date>({
        name: 'pairs',
        schedule: { everyMs: 60_000 },
        store: place.store,
        clock: place.clock,
        keyOf: ([a, b]) => `${a}:${b}`,
        serializer: {
          serialize: date => Buffer.from(date.toISOString()),
          deserialize: bytes => new Date(Buffer.from(bytes).toString()),
        },
        source: async function* () {
          yield [[1, 2], new Date(5)] as const;
        },
        fallback: () => new Date(0),
      }),
    );
    await byPair.start();
    await place.clock.advance(minuteMs);
    expect(byPair.get([1, 2])).toMatchObject({ value: new Date(5), status: 'fresh' });
    expect(byPair.get([2, 1])).toMatchObject({ value: new Date(0), status: 'fallback' });
  });

  it('a number is its decimal; an object without keyOf is refused', () => {
    const best = new Precompute<number | object, number>({
      name: 'numbers',
      schedule: '* * * * *',
      store: ending(memoryStore()),
      source: async function* () {
        yield [1, 1] as const;
      },
    });
    expect(best.get(5).status).toBe('missing');
    expect(() => best.get({})).toThrow(InvalidOptionError);
  });
});

it('a process whose watch hears nothing finds a new version by its poll', async () => {
  const place = site();
  let value = 0;
  const writer = preparedOf(
    place,
    uniform(1, () => ++value),
  );
  await writer.best.start();
  const reader = preparedOf(
    place,
    uniform(1, () => 0),
    { pollMs: 7_000 },
  );
  reader.machine.store.watch = async function* (_prefix, { signal }) {
    await new Promise(resolve => signal.addEventListener('abort', resolve));
  };
  reader.machine.before = method => {
    if (method === 'claim') throw outage();
  };
  await reader.best.start();
  await place.clock.advance(minuteMs + 7_000);
  expect(reader.best.get('key 0').value).toBe(1);
});

it('sinks have what is published, after the flip; one that fails fails nothing', async () => {
  const place = site();
  let keys = ['a', 'b'];
  const written: string[] = [];
  const { best } = preparedOf<string>(place, () => keys.map(key => [key, `${key}!`] as const), {
    sinks: [
      {
        set: (key, value) => {
          written.push(`${key}=${value} at ${best.get(key).version}`);
        },
        delete: key => written.push(`${key} gone`),
      },
      {
        set: () => {
          throw new Error('no cache');
        },
      },
    ],
  });
  await best.start();
  await place.clock.advance(minuteMs);
  keys = ['b'];
  await place.clock.advance(minuteMs);
  expect(written).toEqual(['a=a! at 1', 'b=b! at 1', 'b=b! at 2', 'a gone']);
  expect((await best.history()).map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
});

describe('what cannot be precomputed', () => {
  it.each([
    [{ overlap: 'allow' }, 'overlap'],
    [{ source: [] }, 'source'],
    [{ sinks: [{}] }, 'sinks[0]'],
    [{ keep: 0 }, 'keep'],
    [{ incremental: { lookBack: 5 } }, 'incremental.lookBack'],
    [{ validate: { maxNullRate: 2 } }, 'validate.maxNullRate'],
    [{ freshness: { beyond: 'hope' } }, 'freshness.beyond'],
    [{ onDemand: { concurrency: 0 } }, 'onDemand.concurrency'],
    [{ serializer: {} }, 'serializer'],
    [{ schedule: 'never' }, 'schedule'],
    [{ name: 'a/b' }, 'name'],
    [{ work: () => {} }, 'work'],
  ])('%j is refused', (options, option) => {
    const place = site();
    const make = () => preparedOf(place, () => [], options as never);
    expect(make).toThrow(expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION', option }));
  });
});
