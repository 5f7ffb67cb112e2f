import { memoryStore } from '@ashlar/store';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Precompute, systemWallClock } from '../../src/index.ts';
import { ReadTime } from '../../src/read/read-time.ts';

afterEach(() => vi.useRealTimers());

/** A machine whose time is what the test says, and how often it was asked. */
function machine() {
  const told = { now: 1_000, asked: 0 };
  const wallMs = () => {
    told.asked++;
    return told.now;
  };
  return { told, time: new ReadTime({ ...systemWallClock, wallMs }, () => true) };
}

function read(time: ReadTime, times: number): number[] {
  return Array.from({ length: times }, () => time.wallMs());
}

describe('the time of reads', () => {
  it('is asked for now and then by reads that follow each other at once', () => {
    const { told, time } = machine();
    expect(new Set(read(time, 6_400))).toEqual(new Set([1_000]));
    expect(told.asked).toBeLessThan(120);
  });

  it('is asked for by the first read after an await, however short', async () => {
    const { told, time } = machine();
    read(time, 100);
    told.now = 5_000;
    await null;
    expect(time.wallMs()).toBe(5_000);
  });

  it('lags behind by 64 reads at most when a burst takes long, and then by none', () => {
    const { told, time } = machine();
    read(time, 100);
    told.now = 5_000;
    let late = 0;
    while (time.wallMs() === 1_000) late++;
    expect(late).toBeLessThan(64);
    told.now = 6_000;
    expect(time.wallMs()).toBe(6_000);
  });

  it('is that of each read when few come', async () => {
    const { told, time } = machine();
    for (let i = 0; i < 1_000; i++) {
      told.now++;
      expect(time.wallMs()).toBe(told.now);
    }
    expect(told.asked).toBe(1_000);
  });

  it('is what a replaced Date says, in a burst too', async () => {
    await using store = memoryStore();
    await using best = new Precompute<string, number>({
      name: 'best',
      schedule: '0 3 * * *',
      store,
      freshness: { freshMs: 1_000 },
      source: async function* () {
        yield ['key', 1] as const;
      },
    });
    await best.refresh();
    for (let i = 0; i < 1_000; i++) best.get('key');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    for (let i = 0; i < 1_000; i++) expect(best.get('key').status).toBe('fresh');
    vi.setSystemTime(Date.now() + 60_000);
    expect(best.get('key').status).toBe('stale');
  });
});
