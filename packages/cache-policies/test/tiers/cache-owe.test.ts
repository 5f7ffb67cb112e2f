import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type CacheOptions,
  cacheAside,
  memoryTier,
  type OwedMessage,
  writeBehind,
  writeThrough,
} from '../../src/index.ts';
import { manualCache, settle } from '../support/caches.ts';
import { failingTier } from '../support/tiers.ts';

type Options = Partial<CacheOptions<string, string>>;

/** A cache that owes, and another one of the same tier, which stays connected. */
function owing(options: Options = {}) {
  const clock = new ManualClock();
  const tier = memoryTier({ clock });
  const { remote, state, tell } = failingTier(tier);
  const rows = new Map<string, string>([['x', 'old']]);
  const load = async (key: string) => rows.get(key);
  const own = { clock, load, tags: (key: string) => [`tag-${key}`] };
  const { cache } = manualCache({ ...own, remote, whenAway: 'owe', ...options });
  const { cache: other } = manualCache({ ...own, remote: tier });
  const write = async (key: string, value: string | undefined) => {
    if (value === undefined) rows.delete(key);
    else rows.set(key, value);
  };
  return { cache, other, clock, rows, write, tier, state, tell };
}

function owedMessages(): OwedMessage[] {
  const messages: OwedMessage[] = [];
  const listener = (message: unknown) => void messages.push(message as OwedMessage);
  subscribe('ashlar:cache-policies:owed', listener);
  onTestFinished(() => void unsubscribe('ashlar:cache-policies:owed', listener));
  return messages;
}

const rows = new Map<string, string | undefined>();
const many = async (batch: readonly { readonly key: string; readonly value: string | undefined }[]) => {
  for (const { key, value } of batch) rows.set(key, value);
};
const one = async (key: string, value: string | undefined) => void rows.set(key, value);

const strategies: readonly (readonly [string, Options])[] = [
  ['none', {}],
  ['cacheAside', { write: cacheAside<string, string>({ write: one }) }],
  ['writeThrough', { write: writeThrough<string, string>({ write: one }) }],
  ['writeBehind', { write: writeBehind<string, string>({ write: many, maxDelayMs: 1 }) }],
];

describe("a change while the tier is away, with `whenAway: 'owe'`", () => {
  describe.each(strategies)('write strategy: %s', (_, options) => {
    it.each(['told', 'untold'])('succeeds, and reaches the others when the tier is back: %s', async how => {
      const { cache, other, clock, rows: source, state, tell } = owing(options);
      for (const key of ['x', 'y', 'z']) {
        source.set(key, 'old');
        expect(await other.get(key)).toBe('old');
        await settle();
        expect(await cache.get(key)).toBe('old');
      }
      if (how === 'told') tell('disconnected');
      else state.away = true;

      for (const key of ['x', 'z']) source.set(key, 'new');
      source.delete('y');
      await cache.set('x', 'new');
      await cache.delete('y');
      await cache.invalidateTags(['tag-z']);
      expect(cache.snapshot()).toMatchObject({ writeFailures: 0, remote: { pendingInvalidations: 3 } });
      expect(cache.snapshot().remote!.owed).toBeGreaterThanOrEqual(3);
      for (const key of ['x', 'y', 'z']) expect(await cache.get(key)).toBe(source.get(key));

      state.away = false;
      tell('connected');
      await clock.advance(5_000);
      expect(cache.snapshot()).toMatchObject({ remote: { pendingInvalidations: 0 } });
      for (const of of [other, cache]) {
        for (const key of ['x', 'y', 'z']) {
          expect(await of.get(key)).toBe(source.get(key));
          await settle();
        }
      }
    });
  });

  it('is owed as a clear', async () => {
    const { cache, other, rows, tell } = owing();
    expect(await other.get('x')).toBe('old');
    tell('disconnected');
    rows.set('x', 'new');
    await cache.clear();
    expect(cache.snapshot()).toMatchObject({ remote: { pendingInvalidations: 'everything', owed: 1 } });
    tell('connected');
    await settle();
    expect(await other.get('x')).toBe('new');
  });

  it('keeps values with other tags', async () => {
    const { cache, other, rows, tell } = owing();
    rows.set('y', 'kept');
    for (const key of ['x', 'y']) await other.get(key);
    tell('disconnected');
    await cache.invalidateTags(['tag-x']);
    tell('connected');
    await settle();
    expect([other.peek('x'), other.peek('y')]).toEqual([undefined, 'kept']);
  });

  it('keeps the value as long as a loaded one', async () => {
    const { cache, clock, state, tell } = owing({ onDisconnect: { serveMs: 1_000 } });
    state.confirmedUntil = 0;
    tell('disconnected');
    await cache.set('a', 'set');
    expect(cache.peek('a')).toBe('set');
    await clock.advance(1_001);
    expect(cache.peek('a')).toBeUndefined();
  });

  it('is bounded: many keys and tags are owed as everything', async () => {
    const { cache, tell } = owing();
    tell('disconnected');
    for (let i = 0; i < 6_000; i++) {
      await cache.delete(`key ${i}`);
      await cache.invalidateTags([`tag ${i}`]);
    }
    expect(cache.snapshot().remote).toMatchObject({ pendingInvalidations: 'everything', owed: 12_000 });
  });

  it('still fails where the source, the serializer or the cache does', async () => {
    const fails = async () => {
      throw new Error('the source is down');
    };
    const { cache, tell } = owing({ write: writeThrough<string, string>({ write: fails }) });
    tell('disconnected');
    await expect(cache.set('x', 'new')).rejects.toMatchObject({
      message: 'cache could not set "x": the source is down',
    });
    const { cache: plain, tell: tellPlain } = owing();
    tellPlain('disconnected');
    await expect(plain.set('x', 1n as never)).rejects.toMatchObject({ outcome: 'NotExecuted' });
    await plain.close();
    await expect(plain.invalidateTags(['a'])).rejects.toMatchObject({ code: 'ASHLAR_CACHE_POLICIES_CLOSED' });
  });

  it('is published: what is owed, done, and dropped', async () => {
    const messages = owedMessages();
    const { cache, tell } = owing();
    tell('disconnected');
    await cache.delete('x');
    await cache.invalidateTags(['a', 'b']);
    tell('connected');
    await settle();
    tell('disconnected');
    await cache.clear();
    await cache.close();
    expect(messages.map(({ state, pending }) => [state, pending])).toEqual([
      ['owed', 1],
      ['owed', 3],
      ['done', 0],
      ['owed', 'everything'],
      ['dropped', 'everything'],
    ]);
    expect(messages[0]!.error).toMatchObject({ code: 'ASHLAR_CACHE_POLICIES_TIER_UNAVAILABLE' });
  });

  it('needs a shared tier', () => {
    expect(() => manualCache({ whenAway: 'owe' })).toThrow('`whenAway` needs a `remote` tier');
    expect(() => manualCache({ remote: memoryTier(), whenAway: 'ow' as 'owe' })).toThrow('whenAway');
  });
});

describe("a change while the tier is away, with `whenAway: 'reject'`", () => {
  it('says in its error what could not be done', async () => {
    const { cache, write: _, tell } = owing({ whenAway: 'reject' });
    tell('disconnected');
    const messageOf = (work: Promise<void>) =>
      work.then(
        () => '',
        ({ message }: Error) => message,
      );
    expect(await messageOf(cache.set('x', 'new'))).toBe('cache could not set "x": away');
    expect(await messageOf(cache.delete('x'))).toBe('cache could not delete "x": away');
    expect(await messageOf(cache.invalidateTags(['a', 'b']))).toBe(
      'cache could not invalidate the tags "a", "b": away',
    );
    expect(await messageOf(cache.clear())).toBe('cache could not clear the tiers: away');
    const through = owing({ whenAway: 'reject', write: writeThrough<string, string>({ write: one }) });
    through.tell('disconnected');
    expect(await messageOf(through.cache.set('x', 'new'))).toBe(
      'cache set "x" in its source, but could not invalidate it in the shared tier: away',
    );
    expect(await messageOf(through.cache.delete('x'))).toBe(
      'cache deleted "x" in its source, but could not invalidate it in the shared tier: away',
    );
  });
});
