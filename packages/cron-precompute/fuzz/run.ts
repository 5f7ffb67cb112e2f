import { type Fuzzed, type FuzzReport, type FuzzOptions as Options, fuzz as run } from '@workspace/fuzz';
import type { Plan } from './plan/plan.ts';
import { plans } from './plan/plans.ts';
import { Play } from './play.ts';

export type FuzzOptions = Options<Plan>;

export function fuzzed(): Fuzzed<Plan, AsyncDisposable> {
  return {
    sites: ['memory'],
    start: async () => ({ async [Symbol.asyncDispose]() {} }),
    plansFor: () => plans,
    play: (_site, plan) => new Play(plan).run(),
  };
}

export function fuzz(options: FuzzOptions): Promise<FuzzReport<Plan>> {
  return run(fuzzed(), options);
}
