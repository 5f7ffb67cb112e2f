import { type Fuzzed, type FuzzReport, type FuzzOptions as Options, fuzz as run } from '@workspace/fuzz';
import type { Plan } from './plan/plan.ts';
import { plansFor } from './plan/plans.ts';
import { type PlayOptions, play } from './play/play.ts';
import type { Site } from './sites/site.ts';
import { sites, startSite } from './sites/sites.ts';

export interface FuzzOptions extends PlayOptions, Options<Plan> {}

export function fuzzed(options: PlayOptions = {}): Fuzzed<Plan, Site> {
  return { sites, start: startSite, plansFor, play: (site, plan) => play(site, plan, options) };
}

export function fuzz(options: FuzzOptions): Promise<FuzzReport<Plan>> {
  return run(fuzzed(options), options);
}
