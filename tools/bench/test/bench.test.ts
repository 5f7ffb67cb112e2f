import { perform } from '@workspace/program';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { bytesKept, figures, inTable, measure, median, noiseFloor, timing } from '../src/index.ts';
import { commandOf } from '../src/main.ts';

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
    const [less, more] = await measure([turns(1), turns(2_000)], { rounds: 3, sampleMs: 1 });
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

describe('the command', () => {
  it('prints a table for each bench, or one for several, a row each', async () => {
    const bench = (name: string, unit: string, peers: Record<string, number>) =>
      figures(name, unit, () => ({ ours: ['ring', 10], peers }));
    const command = commandOf([
      bench('alone', 'ns', { other: 5 }),
      ...inTable('costs', [
        bench('costs: wall', 'µs', { other: 20 }),
        bench('costs: CPU', 'ms', { third: 30 }),
      ]),
    ]);
    const printed: string[] = [];
    const write = vi
      .spyOn(process.stdout, 'write')
      .mockImplementation(text => printed.push(String(text)) > 0);
    onTestFinished(() => write.mockRestore());
    expect(await perform(command, [])).toBe(0);
    const cells = printed.map(table =>
      table
        .trim()
        .split('\n')
        .map(line => line.split(/ *\| */).slice(1, -1)),
    );
    expect(cells.map(lines => lines.filter((_, index) => index !== 1))).toEqual([
      [
        ['alone', 'ns', 'ratio'],
        ['ring', '10', ''],
        ['other', '5', '0.5×'],
      ],
      [
        ['costs', 'unit', 'ring', 'other', 'third'],
        ['wall', 'µs', '10', '20 (2×)', ''],
        ['CPU', 'ms', '10', '', '30 (3×)'],
      ],
    ]);
  });
});
