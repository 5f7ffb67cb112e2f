import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import { toJson } from '@ashlar/store';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type LoadedMessage, MissingVersionError, Precompute } from '../../src/index.ts';
import { Build } from '../../src/publish/build.ts';
import type { Manifest, VersionInfo } from '../../src/publish/pointer.ts';
import { Vault } from '../../src/publish/vault.ts';
import { loadTable } from '../../src/read/shared/load-shared.ts';
import { SharedValues } from '../../src/read/shared/shared-values.ts';
import { builderHere, builderInWorker } from '../../src/read/shared/table-builder.ts';
import { tableCode } from '../../src/read/shared/table-code.ts';
import { loadValues } from '../../src/read/snapshot.ts';
import { preparedOf } from '../support/prepared.ts';
import { minuteMs, site } from '../support/site.ts';

type Entries = Iterable<readonly [string, unknown]>;

const json = {
  serialize: toJson,
  deserialize: (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as unknown,
};
const { signal } = new AbortController();

/** A version of its own in a store of its own. */
async function written(entries: Entries): Promise<{ vault: Vault; info: VersionInfo; manifest: Manifest }> {
  const vault = new Vault(site().store, 'best');
  const build = new Build(vault, 1n, { version: 1, dataAt: 0, chunks: [] }, attempt => attempt());
  for (const [key, value] of entries) {
    await build.add(key, value === undefined || value === null ? value : toJson(value));
  }
  const manifest = await build.finish();
  const { version, entries: size, nulls, bytes, dataAt, fullAt } = manifest;
  const times = { scheduledAt: 0, publishedAt: 0, dataAt, fullAt };
  return { vault, manifest, info: { version, entries: size, nulls, bytes, ...times } };
}

async function shared(entries: Entries, hotKeys = 0): Promise<SharedValues<unknown>> {
  const { vault, info } = await written(entries);
  const { table } = await loadTable(vault, info, signal);
  return new SharedValues(table, info.entries, json, hotKeys);
}

/** More than a worker is started for. */
const many = (value: string) =>
  Array.from({ length: 40_000 }, (_, i) => [`key ${i}`, value.repeat(20)] as const);

describe('a shared table', () => {
  it('has what the plain one has: any keys, nulls, deletions, keys that come again', async () => {
    const key = fc.oneof(
      fc.constantFrom('', 'a', 'é', 'Ã©', '\0', '😀', 'key'),
      fc.string({ unit: 'binary', maxLength: 8 }),
    );
    const value = fc.constantFrom<unknown>(undefined, null, 0, '', 'text', { a: [1] });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(key, value), { maxLength: 60 }), key, async (entries, other) => {
        const { vault, info } = await written(entries);
        const plain = await loadValues(vault, info, json, signal);
        const { table } = await loadTable(vault, info, signal);
        const values = new SharedValues(table, info.entries, json, 4);
        for (const asked of [...entries.map(([name]) => name), other, ...entries.map(([name]) => name)]) {
          expect(values.get(asked)).toEqual(plain.get(asked));
        }
        expect([...values.keys()].sort()).toEqual([...plain.keys()].sort());
        expect(values.size).toBe(plain.size);
      }),
    );
  });

  it('finds keys whose hashes begin in one slot', async () => {
    const entries = Array.from({ length: 3_000 }, (_, i) => [`${i}`, i] as const);
    const values = await shared(entries);
    for (const [key, value] of entries) expect(values.get(key)).toBe(value);
    expect(values.get('3000')).toBeUndefined();
  });

  it('decodes hot values once, and keeps no more than it was told', async () => {
    const { vault, info } = await written(Array.from({ length: 100 }, (_, i) => [`${i}`, { i }] as const));
    const { table } = await loadTable(vault, info, signal);
    let decoded = 0;
    const deserialize = (bytes: Uint8Array) => {
      decoded++;
      return json.deserialize(bytes);
    };
    const values = new SharedValues<unknown>(table, 100, { ...json, deserialize }, 10);
    const first = values.get('7');
    for (let i = 0; i < 50; i++) expect(values.get('7')).toBe(first);
    expect(decoded).toBe(1);
    for (let i = 20; i < 40; i++) values.get(`${i}`);
    expect(values.get('7')).not.toBe(first);
    expect(decoded).toBe(22);
  });

  it('gives `deserialize` bytes of its own', async () => {
    const { vault, info } = await written([['a', 1]]);
    const { table } = await loadTable(vault, info, signal);
    const deserialize = (bytes: Uint8Array) => {
      const value = json.deserialize(bytes);
      bytes.fill(0);
      return value;
    };
    const values = new SharedValues<unknown>(table, 1, { ...json, deserialize }, 0);
    expect([values.get('a'), values.get('a')]).toEqual([1, 1]);
  });

  it('is filled by code that needs nothing around it, as the worker has only its text', () => {
    const { hashOf } = new Function(`return (${tableCode})()`)();
    expect(hashOf('key', 7)).toBe(tableCode().hashOf('key', 7));
  });
});

describe('loading a shared table', () => {
  it('a worker fills it', async () => {
    const { vault, info } = await written(many('x'));
    const { table, ...built } = await loadTable(vault, info, signal);
    expect(built).toEqual({});
    const values = new SharedValues(table, info.entries, json, 0);
    expect([values.get('key 0'), values.get('key 39999'), values.get('key 40000')]).toEqual([
      'x'.repeat(20),
      'x'.repeat(20),
      undefined,
    ]);
  });

  it.each(['does not start', 'dies'])('this thread does, when the worker %s', async what => {
    const { vault, info } = await written(many('x'));
    let added = 0;
    const { table, workerError } = await loadTable(vault, info, signal, empty => {
      if (what === 'does not start') throw new Error('no threads');
      const builder = builderInWorker(empty);
      return {
        ...builder,
        async add(bytes, digest) {
          if (added++ === 1) await builder[Symbol.asyncDispose]();
          return builder.add(bytes, digest);
        },
      };
    });
    expect(workerError).toBeInstanceOf(Error);
    const values = new SharedValues(table, info.entries, json, 0);
    for (const [key, value] of many('x')) if (values.get(key) !== value) throw new Error(`${key} is lost`);
  });

  it.each(['in a worker', 'in this thread'])(
    'a chunk that is damaged or missing is told, %s',
    async where => {
      const { vault, info, manifest } = await written(where === 'in a worker' ? many('x') : [['a', 1]]);
      const { id } = manifest.chunks[0]!;
      const bytes = await vault.unchecked(1, id);
      bytes[bytes.length - 1]! ^= 1;
      await vault.setChunk(1, id, bytes);
      await expect(loadTable(vault, info, signal)).rejects.toThrow(MissingVersionError);
      await expect(loadTable(vault, info, signal)).rejects.toThrow('damaged');
      for await (const { key } of vault.store.list('precompute/best/versions/1/chunks/')) {
        await vault.store.delete(key);
      }
      await expect(loadTable(vault, info, signal)).rejects.toThrow('missing');
    },
  );

  it('ends with the signal', async () => {
    const { vault, info } = await written(many('x'));
    await expect(loadTable(vault, info, AbortSignal.abort(new Error('over')))).rejects.toThrow('over');
  });
});

describe('the longest turn of the event loop', () => {
  it.each(['plain', 'shared', 'shared, in this thread'])('has one chunk: %s', async kind => {
    const { vault, info, manifest } = await written(many('x'.repeat(5)));
    expect(manifest.chunks.length).toBeGreaterThan(4);
    let turn = 0;
    let isOver = false;
    const turning = (async () => {
      for (; !isOver; turn++) await setImmediate();
    })();
    const readsOf = new Map<number, number>();
    const { unchecked } = Vault.prototype;
    vi.spyOn(vault, 'unchecked').mockImplementation((version, id) => {
      readsOf.set(turn, (readsOf.get(turn) ?? 0) + 1);
      return unchecked.call(vault, version, id);
    });
    if (kind === 'plain') await loadValues(vault, info, json, signal);
    else await loadTable(vault, info, signal, kind === 'shared' ? builderInWorker : builderHere);
    isOver = true;
    await turning;
    // The next ones are read while one is added
    expect(Math.max(...readsOf.values())).toBeLessThanOrEqual(kind === 'plain' ? 1 : 3);
  });
});

describe('a data set in shared memory', () => {
  it('is swapped as a whole, while it is read; what is pinned stays', async () => {
    const place = site();
    let round = 0;
    const { best } = preparedOf<string>(place, () => many(String(++round)), { snapshot: 'shared' });
    const messages: LoadedMessage[] = [];
    const listen = (message: unknown) => messages.push(message as LoadedMessage);
    subscribe('ashlar:cron-precompute:loaded', listen);
    onTestFinished(() => void unsubscribe('ashlar:cron-precompute:loaded', listen));
    await best.start();
    const first = best.refresh();
    await place.clock.advance(0);
    await first;
    const pinned = best.pin();
    let isOver = false;
    const seen = new Set<string>();
    const reading = (async () => {
      while (!isOver) {
        const values = ['key 1', 'key 777', 'key 39999'].map(key => best.get(key).value);
        seen.add(values.join());
        await setImmediate();
      }
    })();
    await best.refresh();
    isOver = true;
    await reading;
    const all = (digit: string) => Array(3).fill(digit.repeat(20)).join();
    expect([all('1'), all('2')]).toEqual(expect.arrayContaining([...seen]));
    expect(best.get('key 5')).toMatchObject({ value: '2'.repeat(20), status: 'fresh', version: 2 });
    expect(pinned.get('key 5').value).toBe('1'.repeat(20));
    expect(best.snapshot().entries).toBe(40_000);
    expect(messages.map(({ workerError }) => workerError)).toEqual([undefined, undefined]);
  });

  it('tells sinks what is gone', async () => {
    const place = site();
    let keys = ['a', 'b'];
    const written: string[] = [];
    const { best } = preparedOf<number>(place, () => keys.map(key => [key, 1] as const), {
      snapshot: 'shared',
      sinks: [{ set: key => void written.push(key), delete: key => written.push(`${key} gone`) }],
    });
    await best.start();
    await place.clock.advance(minuteMs);
    keys = ['b'];
    await place.clock.advance(minuteMs);
    expect(written).toEqual(['a', 'b', 'b', 'a gone']);
  });

  it.each([
    [{ snapshot: 'big' }, 'snapshot'],
    [{ hotKeys: 5 }, 'hotKeys'],
    [{ snapshot: 'shared', hotKeys: -1 }, 'hotKeys'],
  ])('%j is refused', (options, option) => {
    const make = () =>
      new Precompute({
        name: 'best',
        schedule: '* * * * *',
        store: site().store,
        source: async function* () {},
        ...options,
      } as never);
    expect(make).toThrow(expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION', option }));
  });
});
