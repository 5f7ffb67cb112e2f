import { type Fuzzed, type FuzzReport, type FuzzOptions as Options, fuzz as run } from '@workspace/fuzz';
import { type ReplacingPlan, replacingPlans } from './plan.ts';
import { playReplacing } from './play.ts';
import { MemorySite } from './sites/memory.ts';
import { PGliteSite } from './sites/pglite.ts';
import { PostgresSite } from './sites/postgres.ts';
import { RedisSite } from './sites/redis.ts';
import type { ReplacingSite } from './sites/site.ts';

const starts: Readonly<Record<string, () => Promise<ReplacingSite>>> = {
  memory: async () => new MemorySite(),
  pglite: () => PGliteSite.start(),
  postgres: () => PostgresSite.start(),
  redis: () => RedisSite.start(),
};

export function replacing(): Fuzzed<ReplacingPlan, ReplacingSite> {
  return {
    sites: Object.keys(starts),
    start: name => starts[name]!(),
    plansFor: ({ hows }) => replacingPlans(hows),
    play: playReplacing,
  };
}

export function fuzzReplacing(options: Options<ReplacingPlan>): Promise<FuzzReport<ReplacingPlan>> {
  return run(replacing(), options);
}
