import type { Round } from '@workspace/faults';
import type { Fault, Finding } from './fault.ts';
import type { Happening } from './happening.ts';
import { outages } from './outages.ts';
import { races } from './races.ts';
import { Run, type RunSettings, spanOf } from './run.ts';
import { Site } from './site.ts';

/** For how long a process may serve what another has changed, in these runs. */
export const boundMs = 500;

export const happenings: readonly Happening[] = [...outages, ...races];

export async function play(
  site: Site,
  { writes, rejects, happen }: Happening,
  round: Round,
  settings: Omit<RunSettings, 'writes'>,
): Promise<Finding> {
  const run = await Run.begin(site, round, { writes, ...settings });
  const span = await spanOf(() => happen(run));
  return run.end(span, rejects);
}

export const faults: readonly Fault[] = (['pubsub', 'tracking'] as const).flatMap(invalidation =>
  happenings.map(happening => ({
    name: `${invalidation}-${happening.name}`,
    about: happening.about,
    usualRuns: 10,
    async begin() {
      const site = await Site.start({ boundMs, timeoutMs: boundMs });
      return {
        run: (round: Round) => play(site, happening, round, { invalidation }),
        [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
      };
    },
  })),
);
