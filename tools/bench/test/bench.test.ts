import { describe, expect, it } from 'vitest';
import { bytesKept, figures, measure, median, noiseFloor, timing } from '../src/index.ts';

const spin = (units: number) => (times: number) => {
  let x = 1;
  for (let i = 0; i < times * units; i++) x = (Math.imul(x, 31) + i) | 0;
  return x;
};

describe('measure', () => {
  it('tells more work from less, far apart as they are', async () => {
    const [less, more] = await measure([spin(10), spin(100_000)], { rounds: 5, sampleMs: 2 });
    expect(more! / less!).toBeGreaterThan(20);
  });

  it('waits for work that takes turns of the event loop', async () => {
    const turns = (units: number) => async (times: number) => {
      for (let i = 0; i < times * units; i++) await new Promise(setImmediate);
    };
    const [less, more] = await measure([turns(1), turns(100)], { rounds: 3, sampleMs: 1 });
    expect(more! / less!).toBeGreaterThan(5);
  });
});

describe('median', () => {
  it('is the middle, or the mean of both', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});

describe('timing, figures', () => {
  it('put ours beside itself and each peer', async () => {
    const bench = timing('spin', () => ({
      ours: ['short', spin(5)],
      peers: { long: spin(50_000) },
      rounds: 3,
      sampleMs: 1,
    }));
    const rows = await bench.run();
    expect(rows.map(({ peer, unit }) => [peer, unit])).toEqual([
      [noiseFloor, 'ns'],
      ['long', 'ns'],
    ]);
    expect(rows[1]!.ratio).toBeGreaterThan(10);
    expect(
      await figures('memory', 'bytes', () => ({ ours: ['ring', 12], peers: { other: 60 } })).run(),
    ).toEqual([
      { bench: 'memory', subject: 'ring', peer: 'other', unit: 'bytes', value: 12, peerValue: 60, ratio: 5 },
    ]);
  });
});

describe('bytesKept', () => {
  it('counts what is kept on the heap and in array buffers', () => {
    expect(bytesKept(() => new Uint8Array(10_000_000))).toBeGreaterThan(9_900_000);
    expect(bytesKept(() => Array.from({ length: 100_000 }, (_, i) => ({ i })))).toBeGreaterThan(1_000_000);
  });
});
