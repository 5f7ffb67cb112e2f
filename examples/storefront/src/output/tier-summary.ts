import { alignedTable } from '@workspace/program';
import { policyTitles } from '../policies.ts';
import type { Outage } from '../replay/tier-watch.ts';
import { count, milliseconds, percent } from './format.ts';
import type { ReplayReport } from './report.ts';

const phaseTitles = { before: 'before it went', during: 'without it', after: 'since it is back' } as const;

/** What the tier that the replicas share was good for, and what its loss did. */
export function sharedTier(replays: readonly ReplayReport[], width: number): string {
  type Tier = NonNullable<ReplayReport['tier']>;
  const row = (name: string, cell: (tier: Tier) => string) => [
    name,
    ...replays.map(({ tier }) => (tier === undefined ? '-' : cell(tier))),
  ];
  const wasAway = replays.some(({ tier }) => tier !== undefined && tier.outages.length > 0);
  const ratios = (Object.keys(phaseTitles) as (keyof typeof phaseTitles)[]).map(phase =>
    row(`hit ratio ${phaseTitles[phase]}`, ({ phases }) => {
      const { requests, hitRatio } = phases[phase];
      return requests === 0 ? '-' : percent(hitRatio);
    }),
  );
  return alignedTable(
    [
      ['Redis, shared', ...replays.map(({ policy }) => policyTitles[policy])],
      row('found there, not in the replica', ({ hits }) => count(hits)),
      row('was away', ({ outages }) => outages.map(lasted).join(', ') || 'never'),
      ...(wasAway
        ? [
            row('requests served without it', ({ outages }) =>
              count(outages.reduce((sum, { servedWithout }) => sum + servedWithout, 0)),
            ),
            ...ratios,
          ]
        : []),
    ],
    width,
  );
}

function lasted({ lastedMs }: Outage): string {
  return lastedMs === undefined ? 'to the end' : milliseconds(lastedMs);
}
