import { type Fuzzed, type FuzzReport, type FuzzOptions as Options, fuzz as run } from '@workspace/fuzz';
import { type Plan, plans } from './plan.ts';
import { Play, type PlayOptions } from './play.ts';

export interface FuzzOptions extends PlayOptions, Options<Plan> {}

export function fuzzed(options: PlayOptions = {}): Fuzzed<Plan, AsyncDisposable> {
  return {
    sites: ['memory'],
    start: async () => ({ async [Symbol.asyncDispose]() {} }),
    plansFor: () => plans(),
    play: (_site, plan) => new Play(plan, options).run(),
  };
}

export function fuzz(options: FuzzOptions): Promise<FuzzReport<Plan>> {
  return run(fuzzed(options), options);
}
