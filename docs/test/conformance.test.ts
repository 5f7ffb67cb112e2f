import { evictionConformance, tierConformance } from '@ashlar/cache-policies/conformance';
import { placementConformance } from '@ashlar/hash-ring/conformance';
import { policyConformance } from '@ashlar/lb/conformance';
import { queueConformance } from '@ashlar/queue/conformance';
import { replicaSetConformance } from '@ashlar/replica-failover/conformance';
import { storeConformance } from '@ashlar/store/conformance';
import { describe, expect, it } from 'vitest';

type Suite = (runner: never, subject: never, options: never) => void;

/** Each with what it needs besides a name. */
const suites: readonly (readonly [Suite, object])[] = [
  [evictionConformance, {}],
  [tierConformance, {}],
  [policyConformance, {}],
  [storeConformance, {}],
  [replicaSetConformance, {}],
  [queueConformance, { capabilities: {} }],
  [
    placementConformance,
    { features: { weights: true, minimalMovement: 'any', orderFree: true, zones: true, peakToAverage: 2 } },
  ],
];

describe.each(suites.map(([suite, given]) => [suite.name, suite, given] as const))(
  '%s',
  (_, suite, given) => {
    const skipped: string[] = [];
    const runner = {
      describe: (_name: string, body: () => void) => body(),
      it: Object.assign(() => {}, { skip: (name: string) => void skipped.push(name) }),
    };
    const run = (runner: unknown, options: object) =>
      suite(runner as never, (() => ({})) as never, { name: 'mine', ...given, ...options } as never);

    it.each([
      [undefined, {}, '`runner` is required: write `{ describe, it }`'],
      [it, {}, '`runner` must be an object with describe(), it()'],
      [runner, { skip: [{ test: 'a test' }] }, '`skip[0].reason` is required'],
      [runner, { skip: [{ test: 'a test', reason: 'slow', when: 'always' }] }, 'no option `when`'],
      [runner, { skip: [{ test: 'none such', reason: 'slow' }] }, 'mine" has no test "none such" to skip'],
    ])('refuses %#', (given, options, message) => {
      expect(() => run(given, options)).toThrow(message);
    });

    it('shows what it skips, and why', () => {
      const names: string[] = [];
      run({ ...runner, it: Object.assign((name: string) => names.push(name), { skip: () => {} }) }, {});
      run(runner, { skip: [{ test: names[0], reason: 'slow' }] });
      expect(skipped).toEqual([`${names[0]} (slow)`]);
    });
  },
);
