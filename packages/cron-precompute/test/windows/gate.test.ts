import { describe, expect, it, onTestFinished } from 'vitest';
import { type Gate, gate, inChunks, Job, type RunContext } from '../../src/index.ts';
import { LoadGate } from '../../src/windows/gate.ts';
import { p99Signal, pressureSignal, utilizationSignal } from '../../src/windows/load-signals.ts';
import { endMs, oneServer } from '../fixtures/one-server.ts';
import { preparedOf } from '../support/prepared.ts';
import { ending, minuteMs, site } from '../support/site.ts';

const second = 1_000;

function gateOf(...loads: (() => number | null)[]): LoadGate {
  return new LoadGate(
    loads.map((read, index) => ({ name: `load ${index}`, read })),
    100,
  );
}

describe('the share of a gate', () => {
  it('begins with none, grows while every load is well below its limit, and is halved beyond it, down to none', () => {
    let load = 0.9;
    const gate = gateOf(
      () => load,
      () => 0.1,
    );
    let now = 0;
    const shares = (count: number) =>
      Array.from({ length: count }, () => {
        now += 100;
        return Number(gate.share(now).toFixed(4));
      });
    expect(shares(2)).toEqual([0, 0]);
    load = 0.5;
    expect(shares(4)).toEqual([0.01, 0.012, 0.0144, 0.0173]);
    expect(shares(24).slice(-3)).toEqual([0.954, 1, 1]);
    load = 0.9;
    expect(shares(2)).toEqual([1, 1]);
    load = 1;
    expect(shares(8)).toEqual([0.5, 0.25, 0.125, 0.0625, 0.0313, 0.0156, 0, 0]);
  });

  it('begins with none again after a rest', () => {
    const gate = gateOf(() => 0.5);
    for (let now = 0; now <= 3_000; now += 100) gate.share(now);
    expect([gate.share(5_000), gate.share(20_000)]).toEqual([1, 0.01]);
  });

  it('goes by the worst load; one that cannot be read is over its limit', () => {
    const gate = gateOf(
      () => 0.1,
      () => null,
    );
    expect(gate.share(0)).toBe(0);
    expect(gate.snapshot()).toEqual({
      share: 0,
      load: 1_000,
      by: 'load 1',
      loads: { 'load 0': 0.1, 'load 1': null },
    });
  });

  it('is read only so often', () => {
    let reads = 0;
    const gate = gateOf(() => ++reads);
    for (let now = 0; now <= 1_000; now += 10) gate.share(now);
    expect(reads).toBe(11);
  });
});

describe('a load', () => {
  it('of the machine is the time that something waited, since it was read last', () => {
    let total = 5_000_000;
    const file = () => `some avg10=0.00 avg60=0.00 avg300=0.00 total=${total}\nfull avg10=0.00 total=9\n`;
    const signal = pressureSignal('cpu', 0.2, file);
    expect(signal.read(0)).toBe(0);
    total += 100_000;
    expect(signal.read(1_000)).toBeCloseTo(0.5);
    expect(signal.read(2_000)).toBe(0);
  });

  it('that a machine does not have does not count; one that is lost does', () => {
    const none = pressureSignal('io', 0.2, () => {
      throw new Error('no such file');
    });
    expect([none.read(0), none.read(1)]).toEqual([0, 0]);
    let text = 'some total=1';
    const lost = pressureSignal('io', 0.2, () => text);
    lost.read(0);
    text = '';
    expect(lost.read(1)).toBe(null);
  });

  it('of the application may be unknown, but not nonsense', () => {
    const values = [5, undefined, Number.NaN, -1, '5'];
    expect(values.map(value => p99Signal(() => value as number, 10).read(0))).toEqual([
      0.5,
      0,
      null,
      null,
      null,
    ]);
    const broken = () => {
      throw new Error('no metrics');
    };
    expect(p99Signal(broken, 10).read(0)).toBe(null);
  });

  it('of the event loop is how busy it was', async () => {
    const signal = utilizationSignal(0.5);
    const endsAt = performance.now() + 30;
    while (performance.now() < endsAt);
    expect(signal.read(0)).toBeGreaterThan(0.5);
  });
});

describe('a run behind a gate', () => {
  function paced(
    place: ReturnType<typeof site>,
    share: (now: number) => number,
    work: (run: RunContext) => unknown,
    options: { deadlineMs?: number } = {},
  ): Job {
    const machine = place.machine();
    const job = ending(
      new Job({
        name: 'report',
        schedule: '* * * * *',
        store: machine.store,
        clock: place.clock,
        gate: { share },
        work,
        ...options,
      }),
    );
    onTestFinished(() => machine.bury());
    return job;
  }

  /** Works a second at a time, and says when each began, in seconds since the tick. */
  async function beginnings(
    share: (now: number) => number,
    options: { deadlineMs?: number; total?: number } = {},
  ): Promise<number[]> {
    const place = site();
    const times: number[] = [];
    const { total, ...rest } = options;
    const job = paced(
      place,
      share,
      async run => {
        for (let done = 0; done < 5; done++) {
          await run.turn();
          times.push((place.clock.wallMs() - Number(run.scheduledAt)) / second);
          await place.clock.sleep(second, run.signal);
          run.progress(done + 1, total);
        }
      },
      rest,
    );
    await job.start();
    await place.clock.advance(2 * minuteMs - 1);
    return times;
  }

  it('works all the time, or a share of it', async () => {
    expect(await beginnings(() => 1)).toEqual([0, 1, 2, 3, 4]);
    expect(await beginnings(() => 0.5)).toEqual([0, 2, 4, 6, 8]);
  });

  it('stands still while there is none, and goes on when there is', async () => {
    const busyUntil = 60_000 + 20_500;
    const times = await beginnings(now => (now > 60_500 && now < busyUntil ? 0 : 1));
    expect(times.map(Math.floor)).toEqual([0, 20, 21, 22, 23]);
  });

  it('is slowed no more after its deadline', async () => {
    expect(await beginnings(() => 0, { deadlineMs: 30 * second })).toEqual([30, 31, 32, 33, 34]);
  });

  it('is slowed no more when it would not be finished by its deadline', async () => {
    // After the first part, four are left, a second each
    const first = (now: number) => (now < 61_000 ? 1 : 0);
    const times = await beginnings(first, { deadlineMs: 30 * second, total: 5 });
    expect(times.map(Math.round)).toEqual([0, 26, 27, 28, 29]);
  });

  it('stops for its signal while it waits', async () => {
    const place = site();
    const job = paced(
      place,
      () => 0,
      run => run.turn(),
    );
    await job.start();
    await place.clock.advance(minuteMs);
    await job.close();
    expect(await job.history()).toMatchObject([{ status: 'running' }]);
  });

  it('stands still when a gate of its user says nonsense, and fails when it throws', async () => {
    expect(await beginnings(() => Number.NaN, { deadlineMs: 30 * second })).toEqual([30, 31, 32, 33, 34]);
    const place = site();
    const job = paced(
      place,
      () => {
        throw new Error('no gate');
      },
      run => run.turn(),
    );
    await job.start();
    await place.clock.advance(minuteMs);
    expect(await job.history()).toMatchObject([{ status: 'failed', error: { message: 'no gate' } }]);
  });

  it('asks a source for entries only as fast', async () => {
    const place = site();
    const { best } = preparedOf<number>(
      place,
      async function* () {
        for (let i = 0; i < 5; i++) {
          await place.clock.sleep(second);
          yield [`${i}`, i] as const;
        }
      },
      { gate: { share: () => 0.25 } },
    );
    await best.start();
    await place.clock.advance(minuteMs + 19 * second);
    expect(best.get('0').status).toBe('missing');
    await place.clock.advance(2 * second);
    expect(best.get('0').value).toBe(0);
  });

  it('loads fewer parts at once', async () => {
    const place = site();
    const most = async (share: number): Promise<number> => {
      let loading = 0;
      let seen = 0;
      const { best } = preparedOf<number>(
        place,
        inChunks({
          chunks: () => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
          load: async part => {
            seen = Math.max(seen, ++loading);
            await place.clock.sleep(10);
            loading--;
            return [[`${part}`, part] as const];
          },
          concurrency: 8,
          clock: place.clock,
        }) as never,
        { name: `best ${share}`, gate: { share: () => share } },
      );
      const built = best.refresh();
      await place.clock.advance(20 * second);
      await built;
      return seen;
    };
    expect(await most(1)).toBe(8);
    expect(await most(0.25)).toBe(2);
  });
});

describe('users of a server that a job uses too', () => {
  const seeds = [1, 2, 3, 4, 5, 6];
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

  it('hardly wait longer behind a gate, and the job ends in time; without one they wait for it', async () => {
    const gated: number[] = [];
    const ungated: number[] = [];
    for (const seed of seeds) {
      const { p99Ms } = await oneServer(seed, 'none');
      const careful = (read: () => number | undefined) => new LoadGate([p99Signal(read, p99Ms * 1.15)], 200);
      const beside = await oneServer(seed, careful);
      gated.push(beside.p99Ms / p99Ms);
      expect(beside.jobMs).toBeLessThanOrEqual(endMs + 100); // A part that has begun is finished
      ungated.push((await oneServer(seed, 'ungated')).p99Ms / p99Ms);
    }
    expect(Math.max(...gated)).toBeLessThan(1.2);
    expect(median(gated)).toBeLessThan(1.1);
    expect(Math.min(...ungated)).toBeGreaterThan(1.2);
    expect(median(ungated)).toBeGreaterThan(2);
  });
});

describe('a gate that cannot be', () => {
  it.each([
    [{ eventLoop: 0 }, 'eventLoop'],
    [{ eventLoop: false, pressure: false }, 'gate'],
    [{ pressure: { cpu: 2 } }, 'pressure.cpu'],
    [{ pressure: { memory: 0.5 } }, 'pressure.memory'],
    [{ p99: { maxMs: 5 } }, 'p99.read'],
    [{ p99: { read: () => 5, maxMs: 0 } }, 'p99.maxMs'],
    [{ everyMs: 1 }, 'everyMs'],
  ])('%j is refused', (options, option) => {
    expect(() => gate(options as never)).toThrow(
      expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION', option }),
    );
  });

  it.each([
    [{ gate: {} }, 'gate'],
    [{ deadlineMs: 5 }, 'deadlineMs'],
  ])('%j is refused', (options, option) => {
    const { store } = site();
    const make = () => new Job({ name: 'a', schedule: '* * * * *', store, work() {}, ...options } as never);
    expect(make).toThrow(expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION', option }));
  });
});

it('gate() reads what this machine has', () => {
  const made: Gate & { snapshot(): unknown } = gate({ p99: { read: () => 3, maxMs: 10 } });
  made.share(0);
  expect(made.snapshot()).toMatchObject({ loads: { p99: 0.3, eventLoop: expect.any(Number) } });
  expect(JSON.parse(JSON.stringify(made.snapshot()))).toEqual(made.snapshot());
});
