import { expect, it } from 'vitest';
import { type Entry, follow, memoryStore, type Store, StoreClosedError } from '../src/index.ts';
import { bytes, textOf } from './support/bytes.ts';
import { ending, intercepted, outage } from './support/stores.ts';

type Views = AsyncIterator<ReadonlyMap<string, Entry>>;

async function next(views: Views): Promise<Record<string, string | undefined>> {
  const { value } = await views.next();
  return Object.fromEntries([...value].map(([key, entry]: [string, Entry]) => [key, textOf(entry)]));
}

it('gives the whole at first and after each change', async () => {
  const store = ending(memoryStore());
  await store.set('a:1', bytes('1'));
  const stop = new AbortController();
  const views = follow(store, 'a:', stop);
  expect(await next(views)).toEqual({ 'a:1': '1' });
  const later = next(views);
  await store.set('b:1', bytes('other'));
  await store.set('a:2', bytes('2'));
  expect(await later).toEqual({ 'a:1': '1', 'a:2': '2' });
  await store.delete('a:1');
  expect(await next(views)).toEqual({ 'a:2': '2' });
  const last = views.next();
  stop.abort();
  expect(await last).toEqual({ done: true, value: undefined });
});

it('gives a slow reader the latest only, and all that it was given stays as it was', async () => {
  const store = ending(memoryStore());
  const stop = new AbortController();
  const views = follow(store, '', stop);
  const { value: first } = await views.next();
  for (let i = 0; i < 100; i++) await store.set(`key-${i % 10}`, bytes(String(i)));
  let latest: Record<string, string | undefined> = {};
  for (let reads = 1; latest['key-9'] !== '99'; reads++) {
    latest = await next(views);
    expect(reads).toBeLessThan(50);
  }
  expect(Object.keys(latest).length).toBe(10);
  expect(first).toEqual(new Map());
  expect(store.snapshot().watches).toBe(1);
  await views.return();
  expect(store.snapshot().watches).toBe(0);
});

it('lists again after a reset, waiting out an outage', async () => {
  const store = ending(memoryStore());
  let failures = 0;
  const resetting = intercepted(store, {
    async *watch() {
      await store.set('missed', bytes('1'));
      failures = 2;
      yield { type: 'reset' };
      await new Promise(() => {});
    },
    async *list(prefix) {
      if (failures-- > 0) throw outage();
      yield* store.list(prefix);
    },
  });
  const views = follow(resetting, '', new AbortController());
  expect(await next(views)).toEqual({});
  expect(await next(views)).toEqual({ missed: '1' });
  expect(failures).toBeLessThan(0);
});

it('fails when it cannot list at first, and when the store is closed', async () => {
  const store = memoryStore();
  const failing: Store = intercepted(store, {
    // biome-ignore lint/correctness/useYield: it fails before it has anything
    async *list() {
      throw outage();
    },
  });
  await expect(follow(failing, '', new AbortController()).next()).rejects.toThrow('an outage of this test');
  expect(store.snapshot().watches).toBe(0);
  const views = follow(store, '', new AbortController());
  await views.next();
  const pending = views.next();
  pending.catch(() => {});
  await store.close();
  await expect(pending).rejects.toThrow(StoreClosedError);
  expect(await follow(memoryStore(), '', { signal: AbortSignal.abort() }).next()).toMatchObject({
    done: false,
  });
});
