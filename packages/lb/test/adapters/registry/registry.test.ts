import { ManualClock } from '@ashlar/core/testing';
import { InvalidKeyError, type MemoryStore, memoryStore, type Store, StoreClosedError } from '@ashlar/store';
import { describe, expect, expectTypeOf, it, onTestFinished } from 'vitest';
import { discover, type Registration, type RegistryStore, register } from '../../../src/adapters/registry.ts';
import { type Endpoint, LoadBalancer } from '../../../src/index.ts';
import { Sets } from '../../support/discovery/sets.ts';
import { heard } from '../../support/heard.ts';
import { until } from '../../support/until.ts';

const ttlMs = 3_000;
const half = () => 0.5;

/** A store and everything over it in one time that stands still. */
function site(): {
  clock: ManualClock;
  store: MemoryStore;
  timing: { clock: ManualClock; random: () => number };
} {
  const clock = new ManualClock();
  const store = memoryStore({ clock });
  onTestFinished(() => store.close());
  return { clock, store, timing: { clock, random: half } };
}

/** The store, save that some of its methods fail while `broken` is set. */
function fragile(store: Store): { store: RegistryStore; broken: Error | undefined } {
  const state: { store: RegistryStore; broken: Error | undefined } = {
    broken: undefined,
    store: {
      get: key => guarded(() => store.get(key)),
      set: (key, value, options) => guarded(() => store.set(key, value, options)),
      delete: (key, options) => guarded(() => store.delete(key, options)),
      list(prefix) {
        if (state.broken !== undefined) throw state.broken;
        return store.list(prefix);
      },
      watch: (prefix, options) => store.watch(prefix, options),
    },
  };
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    if (state.broken !== undefined) throw state.broken;
    return work();
  };
  return state;
}

function closing<E extends Endpoint>(registration: Registration<E>): Registration<E> {
  onTestFinished(() => registration[Symbol.asyncDispose]());
  return registration;
}

describe('a registry', () => {
  it('serves programs as they are written', async () => {
    await using store = memoryStore();
    await using _registration = await register(store, { id: 'a', url: 'http://127.0.0.1:1' });
    await using lb = new LoadBalancer({ endpoints: discover(store) });
    const picked = await lb.acquire();
    expect(picked.endpoint).toEqual({ id: 'a', url: 'http://127.0.0.1:1' });
    expectTypeOf<Store>().toExtend<RegistryStore>();
    expectTypeOf(discover<{ id: string; rack: number }>(store, 'shop')).toExtend<
      AsyncIterable<readonly { id: string; rack: number }[]>
    >();
  });

  it('does not bring back who has left', async () => {
    const { store, timing } = site();
    const registration = await register<Endpoint>(store, { id: 'a' }, { ttlMs, ...timing });
    const leaving = registration.close();
    await expect(registration.update({ id: 'a', weight: 0 })).rejects.toMatchObject({
      code: 'ASHLAR_LB_CLOSED',
      outcome: 'NotExecuted',
    });
    await leaving;
    await expect(registration.update({ id: 'a', weight: 0 })).rejects.toThrow(
      'the registration of a is closed',
    );
    const sets = new Sets(discover(store, 'default', timing));
    await until(() => expect(sets.ids).toEqual([[]]));
  });

  it('tells who joins, changes and leaves, and keeps services apart', async () => {
    const { clock, store, timing } = site();
    const sets = new Sets(discover(store, 'shop', timing));
    await until(() => expect(sets.ids).toEqual([[]]));
    const b = closing(
      await register<Endpoint>(store, { id: 'b', weight: 2 }, { service: 'shop', ttlMs, ...timing }),
    );
    const a = closing(await register(store, { id: 'a', zone: 'z' }, { service: 'shop', ttlMs, ...timing }));
    closing(await register(store, { id: 'c' }, { service: 'shop/x', ttlMs, ...timing }));
    await until(() =>
      expect(sets.latest).toEqual([
        { id: 'a', zone: 'z' },
        { id: 'b', weight: 2 },
      ]),
    );
    await b.update({ id: 'b', weight: 0 });
    await until(() => expect(sets.latest?.[1]).toEqual({ id: 'b', weight: 0 }));
    const before = sets.ids.length;
    await clock.advance(20 * ttlMs);
    expect(sets.ids).toHaveLength(before); // signs of life are no news
    await a.close();
    await a.close();
    await until(() => expect(sets.ids.at(-1)).toEqual(['b']));
    expect([a.snapshot().state, b.snapshot().state]).toEqual(['closed', 'registered']);
    await expect(b.update({ id: 'c' })).rejects.toThrow('endpoint 0 is not "b" but "c"');
  });

  it('sends a heartbeat every third of the time, also after one that came late', async () => {
    const { clock, store, timing } = site();
    const written: number[] = [];
    const counting: RegistryStore = {
      get: key => store.get(key),
      set: (...args) => {
        written.push(clock.now());
        return store.set(...args);
      },
      delete: (...args) => store.delete(...args),
      list: prefix => store.list(prefix),
      watch: (...args) => store.watch(...args),
    };
    closing(await register<Endpoint>(counting, { id: 'a' }, { ttlMs, ...timing }));
    await clock.advance(ttlMs);
    expect(written).toEqual([0, ttlMs / 3, (ttlMs / 3) * 2, ttlMs]);
  });

  it('lets go of one that gives no sign of life, and takes it back', async () => {
    const { clock, store, timing } = site();
    const failing = fragile(store);
    closing(await register(store, { id: 'a' }, { ttlMs, ...timing }));
    const b = closing(await register(failing.store, { id: 'b' }, { ttlMs, ...timing }));
    const sets = new Sets(discover(store, 'default', timing));
    await until(() => expect(sets.ids).toEqual([['a', 'b']]));
    failing.broken = new Error('cut off');
    await clock.advance(ttlMs * 0.6);
    expect([sets.ids.length, b.snapshot().state]).toEqual([1, 'unconfirmed']);
    await clock.advance(ttlMs);
    await until(() => expect(sets.ids.at(-1)).toEqual(['a']));
    failing.broken = undefined;
    await clock.advance(ttlMs / 2);
    await until(() => expect(sets.ids.at(-1)).toEqual(['a', 'b']));
    expect(b.snapshot()).toEqual({ service: 'default', id: 'b', state: 'registered' });
  });

  it('asks a store that does not answer ever less often, and says so', async () => {
    const { clock, store, timing } = site();
    const failing = fragile(store);
    failing.broken = new Error('down');
    const { stop } = heard('discovery-trouble');
    const registering = register(failing.store, { id: 'a' }, { ttlMs, ...timing });
    const sets = new Sets(discover(failing.store, 'default', timing));
    await clock.advance(20_000);
    const told = stop() as { source: string; error: Error; retryInMs: number }[];
    expect(new Set(told.map(({ error }) => error.message))).toEqual(new Set(['down']));
    expect(told[0]).toMatchObject({ source: 'registry default' });
    const waits = told.map(({ retryInMs }) => retryInMs);
    expect(waits[0]).toBeLessThanOrEqual(400);
    expect(Math.max(...waits)).toBeLessThanOrEqual(7_500);
    expect(told.length).toBeLessThan(40);
    failing.broken = undefined;
    await clock.advance(8_000);
    closing(await registering);
    await until(() => expect(sets.latest).toEqual([{ id: 'a' }]));
  });

  it('stops waiting for a store when it is told to, and leaves nothing behind', async () => {
    const { clock, store, timing } = site();
    const failing = fragile(store);
    failing.broken = new Error('down');
    const giving = new AbortController();
    const registering = register(failing.store, { id: 'a' }, { ttlMs, signal: giving.signal, ...timing });
    giving.abort(new Error('enough'));
    await expect(registering).rejects.toThrow('enough');
    failing.broken = undefined;
    await clock.advance(10 * ttlMs);
    for await (const { key } of store.list('')) expect.unreachable(key);
    expect(clock.sleeping).toBe(0);
  });

  it('lets one that starts under the id of one that ends have it', async () => {
    const { store, timing } = site();
    const old = closing(await register(store, { id: 'a', url: 'http://old' }, { ttlMs, ...timing }));
    closing(await register(store, { id: 'a', url: 'http://new' }, { ttlMs, ...timing }));
    await old.close();
    const sets = new Sets(discover(store, 'default', timing));
    await until(() => expect(sets.latest).toEqual([{ id: 'a', url: 'http://new' }]));
  });

  it('does without entries that cannot be read', async () => {
    const { store, timing } = site();
    closing(await register(store, { id: 'a' }, { ttlMs, ...timing }));
    const { stop } = heard('discovery-trouble');
    const entries = [
      'nonsense',
      '{"endpoint":{"id":""},"ttlMs":1}',
      '{"endpoint":{"id":"x"}}',
      '{"endpoint":{"id":"y","weight":-1},"ttlMs":1}',
    ];
    for (const [index, text] of entries.entries()) {
      await store.set(`lb/default/${index}`, new TextEncoder().encode(text));
    }
    const sets = new Sets(discover(store, 'default', timing));
    await until(() => expect(sets.ids).toEqual([['a']]));
    expect(stop()).toHaveLength(entries.length);
  });

  it('keeps what the store lost for as long as it may yet be registered again', async () => {
    const { clock, store, timing } = site();
    const { reset, watched } = resettable(store);
    const { stop } = heard('discovery-trouble');
    const alive = closing(await register(store, { id: 'alive' }, { ttlMs, ...timing }));
    const dead = await register(store, { id: 'dead' }, { ttlMs, ...timing });
    const sets = new Sets(discover(watched, 'default', timing));
    await until(() => expect(sets.ids).toEqual([['alive', 'dead']]));
    // a process that dies, and a store that loses everything
    await dead.close();
    await store.delete('lb/default/alive');
    await reset();
    await clock.advance(ttlMs * 0.3);
    expect(sets.ids).toEqual([['alive', 'dead']]);
    expect(String((stop()[0] as { error: unknown }).error)).toContain(
      'the store lost alive, dead, which stay for their ttlMs',
    );
    await clock.advance(ttlMs);
    await until(() => expect(sets.ids).toEqual([['alive', 'dead'], ['alive']]));
    expect(alive.snapshot().state).toBe('registered');
  });

  it('ends when it is left, when it is told to, and with the store', async () => {
    const { clock, store, timing } = site();
    const ending = new AbortController();
    const [left, told, last] = [
      new Sets(discover(store, 'default', timing)),
      new Sets(discover(store, 'default', { ...timing, signal: ending.signal })),
      new Sets(discover(store, 'default', timing)),
    ];
    await until(() => expect(last.ids).toEqual([[]]));
    expect(store.snapshot().watches).toBe(3);
    await left.leave();
    ending.abort();
    await until(() => expect([left.ended, told.ended, told.error]).toEqual([true, true, undefined]));
    await until(() => expect(store.snapshot().watches).toBe(1));
    await store.close();
    await until(() => expect(last.error).toMatchObject({ code: StoreClosedError.code }));
    expect(clock.sleeping).toBe(0);
    await expect(register(store, { id: 'a' }, timing)).rejects.toMatchObject({ code: StoreClosedError.code });
  });

  it('refuses what it cannot honor', async () => {
    const { store } = site();
    await expect(register(store, { id: '' })).rejects.toThrow('must have an `id`');
    await expect(register(store, { id: '\ud800' })).rejects.toThrow('half a surrogate pair');
    await expect(register(store, { id: 'x'.repeat(2_000) })).rejects.toMatchObject({
      code: InvalidKeyError.code,
    });
    const odd = { id: 'a', size: 1n };
    await expect(register(store, odd)).rejects.toThrow('cannot be written as JSON');
    // @ts-expect-error no such option
    expect(() => discover(store, 'a', { ttlMs })).toThrow('has no option `ttlMs`');
  });
});

/** A store whose watches tell nothing until `reset`, and then that. */
function resettable(store: Store): { watched: RegistryStore; reset(): Promise<void> } {
  let tell: () => void = () => {};
  const watched: RegistryStore = {
    get: key => store.get(key),
    set: (key, value, options) => store.set(key, value, options),
    delete: (key, options) => store.delete(key, options),
    list: prefix => store.list(prefix),
    async *watch(prefix, { signal }) {
      await new Promise<void>(resolve => {
        tell = resolve;
        signal.addEventListener('abort', () => resolve());
      });
      yield { type: 'reset' };
      yield* store.watch(prefix, { signal });
    },
  };
  const reset = async () => {
    tell();
    await new Promise(resolve => setImmediate(resolve));
  };
  return { watched, reset };
}
