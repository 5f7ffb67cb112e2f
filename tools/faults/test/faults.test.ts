import { perform } from '@workspace/program';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type Fault, type Finding, type Report, runFault, Tally } from '../src/index.ts';
import { commandOf } from '../src/main.ts';

const report: Report<'lost', 'delayMs' | 'share'> = {
  counts: ['lost'],
  measures: {
    delayMs: { title: 'noticed', unit: 'ms' },
    share: { title: 'hits', unit: '%', worst: 'min' },
  },
};
type Found = Finding<'lost', 'delayMs' | 'share'>;
type Known = Fault<'lost', 'delayMs' | 'share'>;

const nothing: Found = { operations: 1, lost: 0, unexpected: 0, remarks: [] };

function faultOf(findings: readonly Partial<Found>[], more: Partial<Known> = {}): Known & { ended: number } {
  const fault = {
    name: 'fire',
    about: 'it burns',
    usualRuns: findings.length,
    ended: 0,
    begin: async () => ({
      run: async ({ index }: { readonly index: number }) => ({ ...nothing, ...findings[index]! }),
      [Symbol.asyncDispose]: async () => void fault.ended++,
    }),
    ...more,
  };
  return fault;
}

it('adds up what the runs showed', async () => {
  const fault = faultOf([{ delayMs: 3, share: 50 }, { delayMs: 9.4, lost: 2, share: 20 }, { delayMs: 5 }]);
  const row = await runFault(fault, report, { seed: 1 });
  expect(row).toEqual({
    ...{
      fault: 'fire',
      runs: 3,
      operations: 3,
      lost: 2,
      unexpected: 0,
      remarks: [],
      ok: false,
      timely: true,
    },
    ...{ delayMsP50: 5, delayMsMin: 3, delayMsMax: 9, shareP50: 50, shareMin: 20, shareMax: 50 },
  });
  expect(fault.ended).toBe(1);
});

it('counts what a fault allows, and is not troubled by it', async () => {
  const row = await runFault(faultOf([{ lost: 2 }], { allows: ['lost'] }), report, { seed: 1 });
  expect(row).toMatchObject({ lost: 2, ok: true, delayMsP50: null });
});

it('says who was late, which is not the same as wrong', async () => {
  const row = await runFault(faultOf([{ delayMs: 11 }], { within: { delayMs: 10 } }), report, { seed: 1 });
  expect(row).toMatchObject({ ok: true, timely: false });
});

it('ends a fault whose run fails, and its scene', async () => {
  let ended = 0;
  const failing = faultOf([], {
    begin: async () => ({
      run: () => Promise.reject(new Error('smoke')),
      [Symbol.asyncDispose]: async () => void ended++,
    }),
  });
  const failed = await runFault(failing, report, { seed: 1, runs: 5 });
  expect(failed).toMatchObject({ runs: 1, lost: 0, unexpected: 1, ok: false });
  expect(failed.remarks[0]).toContain('smoke');
  expect(ended).toBe(1);
});

it('counts each thing that should have held', () => {
  class Own extends Tally {
    get all() {
      return this.observations;
    }
  }
  const tally = new Own();
  tally.expect(true, 'fine');
  tally.expect(false, 'not fine');
  expect(tally.all).toEqual({ operations: 0, unexpected: 1, remarks: ['not fine'] });
});

async function printed(faults: readonly Known[], args: string[]) {
  const out = { stdout: '', stderr: '', code: 0 };
  for (const name of ['stdout', 'stderr'] as const) {
    const spy = vi.spyOn(process[name], 'write').mockImplementation(text => {
      out[name] += text;
      return true;
    });
    onTestFinished(() => spy.mockRestore());
  }
  const said = vi.spyOn(console, 'error').mockImplementation(text => {
    out.stderr += `${text}\n`;
  });
  onTestFinished(() => said.mockRestore());
  const command = commandOf({ package: '@ashlar/x', faults, report, notes: 'hits: of a hundred reads.' });
  out.code = await perform(command, args);
  vi.restoreAllMocks();
  return out;
}

it('prints a table, remarks below it, and exits with 1 when a promise was broken', async () => {
  const fine = faultOf([{ delayMs: 1, share: 50 }], { name: 'rain' });
  const bad = faultOf([{ unexpected: 1, remarks: ['it is wet'] }]);
  const { stdout, stderr, code } = await printed([fine, bad], []);
  expect(stderr).toBe('rain: 1 run, ok\nfire: 1 run, NOT OK\n');
  expect(stdout.split('\n').map(line => line.replace(/ +/g, ' '))).toEqual([
    '| fault | runs | operations | lost | unexpected | noticed p50 / max | hits p50 / min | |',
    expect.stringMatching(/^\| -+ \| -+: \|/),
    '| rain | 1 | 1 | 0 | 0 | 1 / 1 ms | 50 / 50 % | ok |',
    '| fire | 1 | 1 | 0 | 1 | | | NOT OK |',
    'fire: it is wet',
    '',
  ]);
  expect(code).toBe(1);
});

it('takes a name, a number of runs, a seed; prints JSON', async () => {
  const draws: number[] = [];
  const drawing = faultOf([], {
    name: 'dice',
    begin: async () => ({
      run: async ({ random }) => {
        draws.push(random());
        return nothing;
      },
      async [Symbol.asyncDispose]() {},
    }),
  });
  const args = ['--fault', 'di', '--runs', '2', '--seed', '5', '--json'];
  const { stdout, code } = await printed([faultOf([]), drawing], args);
  await printed([drawing], args);
  expect(JSON.parse(stdout)).toMatchObject([{ fault: 'dice', runs: 2, ok: true }]);
  expect(code).toBe(0);
  expect(draws.slice(0, 2)).toEqual(draws.slice(2));
  expect(new Set(draws).size).toBe(2);
});

it('explains itself, and what it does not understand', async () => {
  const faults = [faultOf([])];
  const { stdout } = await printed(faults, ['--help']);
  for (const text of ['@ashlar/x', 'hits: of a hundred', 'it burns', 'shareMin'])
    expect(stdout).toContain(text);
  for (const [args, line] of [
    [['--fault', 'flood'], 'faults: no fault has "flood" in its name; there are: fire\n'],
    [['--seed', 'x'], 'faults: --seed must be an integer from 0 to 999999999, got "x"\n'],
    [['--runs', '0'], 'faults: --runs must be an integer from 1 to 999999999, got "0"\n'],
  ] as const) {
    expect(await printed(faults, [...args])).toEqual({ stdout: '', stderr: line, code: 2 });
  }
});

it('says who is late as a rule, which one run may be', async () => {
  const faults = (delays: readonly number[]) =>
    faultOf(
      delays.map(delayMs => ({ delayMs })),
      { within: { delayMs: 50 }, usually: { delayMs: 10 } },
    );
  expect(await runFault(faults([1, 2, 40]), report, { seed: 1 })).toMatchObject({ ok: true, timely: true });
  expect(await runFault(faults([1, 20, 40]), report, { seed: 1 })).toMatchObject({ ok: true, timely: false });
});
