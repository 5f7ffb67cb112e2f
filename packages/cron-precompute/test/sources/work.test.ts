import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inChunks, type SourceContext } from '../../src/index.ts';
import { preparedOf } from '../support/prepared.ts';
import { gate, minuteMs, site } from '../support/site.ts';

describe('incremental', () => {
  interface Row {
    readonly value: number;
    readonly changedAt: number;
    readonly isDeleted?: boolean;
  }

  it('is the same as reading everything, with late rows and deletes, whatever fails', async () => {
    const steps = fc.array(
      fc.record({
        key: fc.integer({ min: 0, max: 12 }),
        value: fc.integer({ min: 0, max: 9 }),
        isDeleted: fc.boolean(),
        lateMs: fc.integer({ min: 0, max: 29_000 }),
        fails: fc.boolean(),
      }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async all => {
        const place = site();
        const rows = new Map<string, Row>([['always', { value: 1, changedAt: place.clock.wallMs() }]]);
        let fails = false;
        const full = preparedOf(
          place,
          () => [...rows].map(([key, row]) => [key, row.isDeleted ? undefined : row.value] as const),
          {
            name: 'full',
          },
        );
        const changed = preparedOf(
          place,
          function* (context: SourceContext) {
            const since = context.since?.getTime() ?? -Infinity;
            for (const [key, row] of rows) {
              if (row.changedAt >= since) yield [key, row.isDeleted ? undefined : row.value] as const;
            }
            if (fails) throw new Error('no database');
          },
          { name: 'changed', incremental: { lookBackMs: 30_000 } },
        );
        await Promise.all([full.best.start(), changed.best.start()]);
        await place.clock.advance(minuteMs);
        for (const { key, value, isDeleted, lateMs, fails: now } of all) {
          fails = now;
          await place.clock.advance(minuteMs - 1);
          // Written just before a run, with a time before the run before it could see it
          const changedAt = place.clock.wallMs() - lateMs;
          rows.set(`key ${key}`, { value, changedAt, isDeleted });
          await place.clock.advance(1);
        }
        fails = false;
        await place.clock.advance(minuteMs);
        for (const key of rows.keys()) {
          expect(changed.best.get(key).value).toBe(full.best.get(key).value);
        }
        expect(changed.best.snapshot().entries).toBe(full.best.snapshot().entries);
        await Promise.all([full.best.close(), changed.best.close()]);
      }),
      { numRuns: 20, seed: 14 },
    );
  });

  it('reads since the data of what is published, less the look-back, and everything now and then', async () => {
    const place = site();
    let fails = false;
    const { best, contexts } = preparedOf<number>(
      place,
      () => {
        if (fails) throw new Error('no database');
        return [['key', 1]];
      },
      { incremental: { lookBackMs: 5_000, fullEveryMs: 5 * minuteMs } },
    );
    await best.start();
    for (let minute = 1; minute <= 6; minute++) {
      fails = minute === 3;
      await place.clock.advance(minuteMs);
    }
    const since = contexts.map(context => context.since && place.clock.minute(context.since));
    const back = 5_000 / minuteMs;
    // The watermark does not move with the run that failed
    expect(since).toEqual([undefined, 1 - back, 2 - back, 2 - back, 4 - back, undefined]);
  });

  it('goes back with a rollback', async () => {
    const place = site();
    const { best, contexts } = preparedOf<number>(place, () => [['key', 1]], {
      incremental: { lookBackMs: 0 },
    });
    await best.start();
    await place.clock.advance(3 * minuteMs);
    await best.rollback(1);
    await best.resume();
    await place.clock.advance(minuteMs);
    expect(place.clock.minute(contexts.at(-1)!.since!)).toBe(1);
  });

  it('reads everything when what it would build upon is damaged', async () => {
    const place = site();
    const { best, contexts } = preparedOf<number>(place, () => [['key', 1]], { incremental: true });
    await best.start();
    await place.clock.advance(minuteMs);
    for await (const { key } of place.store.list('precompute/best/versions/1/chunks/'))
      await place.store.delete(key);
    await place.clock.advance(minuteMs);
    expect(contexts.map(({ since }) => since === undefined)).toEqual([true, false, true]);
    expect(best.get('key')).toMatchObject({ value: 1, version: 2 });
  });
});

describe('in chunks', () => {
  const numbers = (count: number) => (context: SourceContext) =>
    Array.from({ length: count }, (_, index) => index).slice(
      ((context.cursor as number | undefined) ?? -1) + 1,
    );

  it('loads a few at once, yields them in order, and says how far it is', async () => {
    const place = site();
    const gates = Array.from({ length: 6 }, () => gate());
    const begun: number[] = [];
    const { best } = preparedOf<number>(
      place,
      inChunks({
        chunks: numbers(6),
        load: async chunk => {
          begun.push(chunk);
          await gates[chunk]!.opened;
          return [
            ['last', chunk],
            [`chunk ${chunk}`, chunk],
          ] as const;
        },
        concurrency: 3,
        total: 6,
        clock: place.clock,
      }) as never,
    );
    await best.start();
    await place.clock.advance(minuteMs);
    expect(begun).toEqual([0, 1, 2]);
    gates[2]!.open();
    gates[1]!.open();
    await place.clock.advance(30_000);
    expect(begun).toEqual([0, 1, 2]);
    gates[0]!.open();
    await place.clock.advance(1);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
    const [run] = best.snapshot().job.running;
    expect(run!.progress).toMatchObject({ done: 3, total: 6, perSecond: 0.1, etaMs: 30_000 });
    for (const { open } of gates) open();
    await place.clock.advance(1);
    expect(best.get('last').value).toBe(5);
    expect(best.snapshot().entries).toBe(7);
  });

  it('tries a chunk again, and the run fails when one always fails', async () => {
    for (const failures of [2, 3]) {
      const place = site();
      let tries = 0;
      const { best } = preparedOf<number>(
        place,
        inChunks({
          chunks: numbers(4),
          load: (chunk, { attempt }) => {
            if (chunk === 2 && ++tries <= failures) throw new Error(`try ${attempt}`);
            return [[`chunk ${chunk}`, chunk]] as const;
          },
          attempts: 3,
          clock: place.clock,
          random: () => 0.5,
        }) as never,
      );
      await best.start();
      await place.clock.advance(minuteMs + 1_000);
      expect(tries).toBe(3);
      const [record] = await best.history();
      if (failures === 2) expect(record).toMatchObject({ status: 'succeeded' });
      else
        expect(record).toMatchObject({
          status: 'failed',
          error: { code: 'ASHLAR_CRON_PRECOMPUTE_CHUNK_FAILED' },
        });
    }
  });

  it('ends an attempt that takes too long', async () => {
    const place = site();
    const signals: AbortSignal[] = [];
    const { best } = preparedOf<number>(
      place,
      inChunks({
        chunks: numbers(1),
        load: (_chunk, { signal, attempt }) => {
          signals.push(signal);
          return attempt === 1 ? new Promise<never>(() => {}) : ([['key', 1]] as const);
        },
        timeoutMs: 2_000,
        clock: place.clock,
      }) as never,
    );
    await best.start();
    await place.clock.advance(minuteMs + 3_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(best.get('key').value).toBe(1);
  });

  it('keeps to its rate', async () => {
    const place = site();
    const times: number[] = [];
    const { best } = preparedOf<number>(
      place,
      inChunks({
        chunks: numbers(6),
        load: chunk => {
          times.push(place.clock.now() - minuteMs);
          return [[`chunk ${chunk}`, chunk]] as const;
        },
        perSecond: 2,
        concurrency: 5,
        clock: place.clock,
      }) as never,
    );
    await best.start();
    await place.clock.advance(minuteMs + 5_000);
    expect(times).toEqual([0, 500, 1_000, 1_500, 2_000, 2_500]);
  });

  it('goes on after its last checkpoint in another process', async () => {
    const place = site();
    const stuck = gate<never>();
    const loaded: number[][] = [[], []];
    const source = (who: number, stopAt: number) =>
      inChunks({
        chunks: numbers(8),
        load: async chunk => {
          if (chunk === stopAt) await stuck.opened;
          loaded[who]!.push(chunk);
          return [[`chunk ${chunk}`, who]] as const;
        },
        cursorOf: chunk => chunk,
        checkpointEvery: 2,
        concurrency: 1,
        clock: place.clock,
      });
    const victim = preparedOf<number>(place, source(0, 5) as never, { graceMs: 0 });
    await victim.best.start();
    await place.clock.advance(minuteMs);
    victim.machine.kill();
    const other = preparedOf<number>(place, source(1, -1) as never);
    await other.best.start();
    await place.clock.advance(25_000);
    expect(loaded).toEqual([
      [0, 1, 2, 3, 4],
      [4, 5, 6, 7],
    ]);
    expect(other.best.snapshot().entries).toBe(8);
    expect(other.best.get('chunk 3').value).toBe(0);
  });
});
