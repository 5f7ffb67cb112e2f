import { afterAll, beforeAll, it } from 'vitest';
import type { KindName } from '../../faults/kinds.ts';
import { Site } from '../../faults/site.ts';
import { describeKind } from '../support/describe-kind.ts';
import { allGroups } from './scenarios/all-groups.ts';
import { away } from './scenarios/away.ts';
import { crash, keyedKinds } from './scenarios/crash.ts';
import { gone, mortalKinds } from './scenarios/gone.ts';
import { pushed } from './scenarios/pushed.ts';
import { rolling } from './scenarios/rolling.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { silence } from './scenarios/silence.ts';
import { slowConsumers } from './scenarios/slow-consumers.ts';
import { versions } from './scenarios/versions.ts';

/** No lease ends on a busy machine, and nothing is learned because one is extended. */
const longLeaseMs = 3_600_000;
const timeout = 300_000;

/** All scenarios on a server of each of these kinds, at once. */
export function testKinds(names: readonly KindName[]): void {
  for (const kind of names) {
    describeKind(kind, kind, () => {
      let server: Site;
      beforeAll(async () => {
        server = await Site.start(kind, longLeaseMs);
      });
      afterAll(() => server?.[Symbol.asyncDispose]());
      for (const { title, play } of scenariosOf(kind)) {
        it.concurrent(title, { timeout }, async context => {
          const site = await server.beside();
          context.onTestFinished(() => site[Symbol.asyncDispose]());
          await play(site, context);
        });
      }
    });
  }
}

function scenariosOf(kind: KindName): readonly Scenario[] {
  return [
    silence,
    versions,
    slowConsumers,
    rolling,
    away,
    allGroups,
    pushed,
    ...(mortalKinds.includes(kind) ? [gone] : []),
    ...(keyedKinds.includes(kind) ? [crash] : []),
  ];
}
