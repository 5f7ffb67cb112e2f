import fc from 'fast-check';
import type { Site } from '../sites/site.ts';
import { defined, sometimes } from './arbitraries.ts';
import type { RawJob, RawOp, Step } from './plan.ts';

const rawJob: fc.Arbitrary<RawJob> = defined({
  id: sometimes(fc.constantFrom('plain', 'order 17 ', '~tilde', 'Grüße', '%', '~%41')),
  delayMs: sometimes(fc.constantFrom(1, 30, 150)),
  priority: sometimes(fc.constantFrom(1, 5, 10, 100)),
  first: sometimes(fc.constant(true)),
  forgotten: sometimes(fc.constant(true)),
  children: sometimes(fc.constantFrom(1, 2)),
});

/** What is done past the package: by other code in the same queues, and by operators. */
export function othersSteps(
  { shares = false, operations = [], policies = [] }: Site,
  group: fc.Arbitrary<string>,
): fc.WeightedArbitrary<Step>[] {
  const steps: fc.WeightedArbitrary<Step>[] = [];
  if (shares) {
    steps.push(
      {
        arbitrary: fc.record({
          step: fc.constant('raw' as const),
          group,
          jobs: fc.array(rawJob, { minLength: 1, maxLength: 4 }),
        }),
        weight: 4,
      },
      {
        arbitrary: fc.record({
          step: fc.constant('rawJob' as const),
          group,
          op: fc.constantFrom<RawOp>('remove', 'retry', 'retry', 'promote', 'evict'),
          message: fc.nat(40),
        }),
        weight: 3,
      },
      {
        arbitrary: fc.record({ step: fc.constantFrom('rawPause' as const, 'rawResume' as const), group }),
        weight: 1,
      },
    );
  }
  if (operations.length > 0) {
    const op = fc.constantFrom(...operations);
    steps.push({
      arbitrary: fc.record({ step: fc.constant('operate' as const), group, op }),
      weight: 2,
    });
  }
  if (policies.length > 0) {
    const policy = fc.constantFrom(...policies);
    steps.push({ arbitrary: fc.record({ step: fc.constant('policy' as const), policy }), weight: 1 });
  }
  return steps;
}
