import { ManualClock } from '@ashlar/core/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinkedQueue } from '../../src/util/linked-queue.ts';
import { Timers } from '../../src/util/timers.ts';

describe('Timers', () => {
  it('end each at its time unless stopped, and sleep once for each length that is in use', async () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('start' as const), ms: fc.constantFrom(0, 5, 20, 90) }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('stop' as const), which: fc.nat(40) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(30) }) },
    );
    const property = fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 60 }), async steps => {
      const clock = new ManualClock();
      const timers = new Timers(clock);
      const rang: [number, number][] = [];
      const expected: [number, number][] = [];
      let set: { number: number; ms: number; at: number; stop(): void }[] = [];
      for (const [number, step] of steps.entries()) {
        if (step.do === 'start') {
          const timer = timers.start(step.ms, () => void rang.push([number, clock.now()]));
          set.push({ number, ms: step.ms, at: clock.now() + step.ms, stop: () => timer.stop() });
        } else if (step.do === 'stop') {
          const [stopped] = set.splice(step.which % Math.max(1, set.length), 1);
          stopped?.stop();
          stopped?.stop();
        } else {
          await clock.advance(step.ms);
          const due = set.filter(({ at }) => at <= clock.now());
          set = set.filter(({ at }) => at > clock.now());
          expected.push(...due.map(({ number, at }) => [number, at] as [number, number]));
          const byTime = (a: [number, number], b: [number, number]) => a[1] - b[1] || a[0] - b[0];
          expect([...rang].sort(byTime)).toEqual([...expected].sort(byTime));
        }
        expect(clock.sleeping).toBe(new Set(set.map(({ ms }) => ms)).size);
      }
    });
    await fc.assert(property, { seed: 2, numRuns: 40 });
  });

  it('may be started and stopped by one another as they end', async () => {
    const clock = new ManualClock();
    const timers = new Timers(clock);
    const rang: string[] = [];
    timers.start(10, () => {
      rang.push('first');
      second.stop();
      timers.start(10, () => rang.push('third'));
    });
    const second = timers.start(10, () => rang.push('second'));
    await clock.advance(10);
    timers.start(10, () => rang.push('fourth'));
    await clock.advance(9);
    expect(rang).toEqual(['first']);
    await clock.advance(1);
    expect(rang).toEqual(['first', 'third', 'fourth']);
    expect(clock.sleeping).toBe(0);
  });
});

describe('LinkedQueue', () => {
  it('keeps its order whichever item is removed', () => {
    const steps = fc.array(fc.oneof(fc.constant('push' as const), fc.nat(20)), { maxLength: 100 });
    const property = fc.property(steps, all => {
      const queue = new LinkedQueue<number>();
      let model: { item: number; entry: ReturnType<LinkedQueue<number>['push']> }[] = [];
      const left: typeof model = [];
      for (const [item, step] of all.entries()) {
        if (step === 'push') model.push({ item, entry: queue.push(item) });
        else {
          const leaving = model[step % Math.max(1, model.length)];
          if (leaving !== undefined) {
            expect(queue.remove(leaving.entry)).toBe(true);
            left.push(leaving);
          }
          model = model.filter(each => each !== leaving);
        }
        for (const { entry } of left) {
          expect([queue.remove(entry), queue.has(entry)]).toEqual([false, false]);
          // One that is kept must keep no other
          expect(Object.values(entry).filter(value => typeof value === 'object')).toEqual([]);
        }
        const items: number[] = [];
        for (let at = queue.first; at !== undefined; at = at.next) items.push(at.item);
        expect(items).toEqual(model.map(each => each.item));
        expect(queue.length).toBe(model.length);
      }
    });
    fc.assert(property, { seed: 6, numRuns: 200 });
  });
});
