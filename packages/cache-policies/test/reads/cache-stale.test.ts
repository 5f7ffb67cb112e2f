import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { StaleServedMessage } from '../../src/index.ts';
import { ManualSource, manualCache, settle } from '../support/caches.ts';

function staleReasons(): string[] {
  const reasons: string[] = [];
  const listener = (message: unknown) => reasons.push((message as StaleServedMessage).reason);
  subscribe('ashlar:cache-policies:stale-served', listener);
  onTestFinished(() => void unsubscribe('ashlar:cache-policies:stale-served', listener));
  return reasons;
}

describe('stale while revalidate', () => {
  it('serves at once what is stale for no longer than `staleMs`, and refreshes it once', async () => {
    const reasons = staleReasons();
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({ load: source.load, ttlMs: 100, staleMs: 50 });
    await cache.set('a', 'old');
    await clock.advance(149);
    expect(await Promise.all([cache.get('a'), cache.get('a')])).toEqual(['old', 'old']);
    await settle();
    expect(source.calls.length).toBe(1);
    source.resolve(0, 'new');
    await settle();
    expect(await cache.get('a')).toBe('new');
    expect(reasons).toEqual(['refresh', 'refresh']);
    expect(cache.snapshot()).toMatchObject({ staleServed: 2, refreshes: 1, loads: 1, hits: 1 });
  });

  it('waits for the load beyond that', async () => {
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({ load: source.load, ttlMs: 100, staleMs: 50 });
    await cache.set('a', 'old');
    await clock.advance(150);
    const waiting = cache.get('a');
    await settle();
    source.resolve(0, 'new');
    expect(await waiting).toBe('new');
  });

  it('who comes too late for the stale value joins its refresh', async () => {
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({ load: source.load, ttlMs: 100, staleMs: 50 });
    await cache.set('a', 'old');
    await clock.advance(149);
    await cache.get('a');
    await clock.advance(1);
    const waiting = cache.get('a');
    source.resolve(0, 'new');
    expect(await waiting).toBe('new');
    expect(source.calls.length).toBe(1);
  });

  it('a refresh goes on when its caller aborts', async () => {
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({ load: source.load, ttlMs: 100, staleMs: 50 });
    await cache.set('a', 'old');
    await clock.advance(149);
    const controller = new AbortController();
    await cache.get('a', controller);
    await clock.advance(1);
    const joined = cache.get('a', controller);
    controller.abort(new Error('gone'));
    await expect(joined).rejects.toThrow('gone');
    source.resolve(0, 'new');
    await settle();
    expect(cache.peek('a')).toBe('new');
  });
});

describe('stale if error', () => {
  const options = { ttlMs: 100, staleIfErrorMs: 1_000, errorBackoffMs: 200 };

  it('serves what is kept when the load fails, and leaves the source alone for a while', async () => {
    const reasons = staleReasons();
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({ load: source.load, ...options });
    await cache.set('a', 'old');
    await clock.advance(100);
    const waiting = cache.get('a');
    await settle();
    source.calls[0]!.answer.reject(new Error('down'));
    expect(await waiting).toBe('old');
    await clock.advance(199);
    expect(cache.peek('a')).toBe('old');
    expect(await cache.get('a')).toBe('old');
    expect(source.calls.length).toBe(1);
    expect(reasons).toEqual(['error', 'error']);
    await clock.advance(1);
    expect(cache.peek('a')).toBeUndefined();
    const recovered = cache.get('a');
    await settle();
    source.resolve(1, 'new');
    expect(await recovered).toBe('new');
  });

  it('ends at its bound', async () => {
    const { cache, clock } = manualCache({
      ...options,
      load: async (): Promise<string> => {
        throw new Error('down');
      },
    });
    await cache.set('a', 'old');
    await clock.advance(1_099);
    expect(await cache.get('a')).toBe('old');
    await clock.advance(1);
    await expect(cache.get('a')).rejects.toThrow('down');
  });

  it('holds for a load that is given up too', async () => {
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({ load: source.load, timeoutMs: 10, ...options });
    await cache.set('a', 'old');
    await clock.advance(100);
    const waiting = cache.get('a');
    await clock.advance(10);
    expect(await waiting).toBe('old');
  });

  it('does not hide what the source says is gone', async () => {
    const { cache, clock } = manualCache({
      load: async (): Promise<string | undefined> => undefined,
      ...options,
    });
    await cache.set('a', 'old');
    await clock.advance(100);
    expect(await cache.get('a')).toBeUndefined();
  });
});

describe('refresh ahead', () => {
  it('refreshes on a hit in the last milliseconds, while the value is fresh', async () => {
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({ load: source.load, ttlMs: 100, refreshAhead: { lastMs: 20 } });
    await cache.set('a', 'old');
    await clock.advance(79);
    await cache.get('a');
    expect(source.calls.length).toBe(0);
    await clock.advance(1);
    expect([await cache.get('a'), await cache.get('a')]).toEqual(['old', 'old']);
    expect(source.calls.length).toBe(1);
    source.resolve(0, 'new');
    await settle();
    await clock.advance(50);
    expect(await cache.get('a')).toBe('new');
    expect(cache.snapshot()).toMatchObject({ misses: 0, staleServed: 0, refreshes: 1 });
  });

  it('XFetch: refreshes with the chance of its formula', async () => {
    let draw = 0.5;
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({
      ...{ load: source.load, ttlMs: 1_000, refreshAhead: { beta: 2 }, random: () => draw },
    });
    const first = cache.get('a');
    await clock.advance(50);
    source.resolve(0, '1');
    await first;
    // cost 50, beta 2: this draw reaches 71 ms ahead, and 70 are left
    await clock.advance(930);
    draw = Math.exp(-0.71);
    await cache.get('a');
    expect(source.calls.length).toBe(2);
    source.calls[1]!.answer.reject(new Error('down'));
    await settle();
    expect(await cache.get('a')).toBe('1');
  });

  it('XFetch: does not before its reach', async () => {
    const source = new ManualSource<string, string>();
    const { cache, clock } = manualCache({
      ...{ load: source.load, ttlMs: 1_000, refreshAhead: { beta: 2 }, random: () => 0.5 },
    });
    const first = cache.get('a');
    await clock.advance(50);
    source.resolve(0, '1');
    await first;
    await clock.advance(930);
    await cache.get('a');
    expect(source.calls.length).toBe(1);
    await clock.advance(1);
    await cache.get('a');
    expect(source.calls.length).toBe(2);
  });
});
