import { expect, test } from 'vitest';
import { Steps } from '../../.vitepress/theme/demo/steps.ts';

/** A simulation whose steps end when they are told to. */
class Slow {
  nowMs = 0;
  #end = (): void => {};

  advance(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.#end = () => {
        this.nowMs += ms;
        resolve();
      };
    });
  }

  end(): void {
    this.#end();
  }
}

test('time that is skipped during a step passes after it, also while the page is paused', async () => {
  const simulation = new Slow();
  const shown: number[] = [];
  const steps = new Steps(simulation, () => shown.push(simulation.nowMs));
  const all = steps.advance(1_000);
  void steps.advance(1_000);
  void steps.advance(1_000);
  simulation.end();
  await expect.poll(() => shown).toEqual([1_000]);
  simulation.end();
  await all;
  expect(shown).toEqual([1_000, 3_000]);
});

test('a step that takes longer than a frame leaves no time behind that would have to be made up for', async () => {
  const simulation = new Slow();
  const steps = new Steps(simulation, () => {});
  const first = steps.advance(100);
  for (let frame = 0; frame < 50; frame++) steps.tick(16);
  simulation.end();
  await first;
  const next = steps.advance(0);
  simulation.end();
  await next;
  expect(simulation.nowMs).toBe(100);
});

test('a simulation goes on after a step that has failed', async () => {
  const failures = [new Error('a bug')];
  let nowMs = 0;
  const simulation = {
    async advance(ms: number) {
      const failure = failures.pop();
      if (failure !== undefined) throw failure;
      nowMs += ms;
    },
  };
  const steps = new Steps(simulation, () => {});
  await expect(steps.advance(10)).rejects.toThrow('a bug');
  await steps.advance(20);
  expect(nowMs).toBe(20);
});
