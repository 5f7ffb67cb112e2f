import fc from 'fast-check';
import { oddTexts } from '../../src/conformance/odd-texts.ts';
import type { Site } from '../sites/site.ts';
import { defined, sometimes } from './arbitraries.ts';
import { othersSteps } from './others-plans.ts';
import type { MessageSpec, Plan, Settling, Step } from './plan.ts';

/** The group that most steps are about, and another. */
const pairs = [
  ...['billing mail', 'billing mail', 'billing mail', '0 -1', '__proto__ constructor', 'a.b a_b', 'A a'],
  ...['default dead', '. ..', `${'x'.repeat(100)} ${'x'.repeat(101)}`],
].map(pair => pair.split(' ') as [string, string]);
const keys = ['a', 'b', 'tenant 7 ü'];
/** Other code on the same queue makes ids like these. */
const ids = oddTexts.filter(text => !/^~?%\d/.test(text));
/** Beyond 31, 32 and 53 bits. */
const huge = [2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER];
/** Years away, so that no case waits for it, and less than a clock tells. */
const [farMs, nearMs] = [
  [2 ** 31, 315_360_000_000],
  [0.25, 1e-7],
];

/** Cases for what the driver of a site can do. */
export function plansFor(site: Site): fc.Arbitrary<Plan> {
  const { capabilities, mostProcesses, breaks, loses = false, leaseMs } = site;
  const sharings = fc.constantFrom(
    'any' as const,
    ...(capabilities.orderedKeys ? (['ordered'] as const) : []),
    ...(capabilities.fairness ? (['fair'] as const) : []),
  );
  const shared = fc.record({
    processes: fc.integer({ min: 1, max: mostProcesses }),
    sharing: sharings,
    names: fc.constantFrom(...pairs),
    opens: fc.integer({ min: 0, max: 7 }).map(number => number > 0),
  });
  return shared.chain(({ processes, sharing, names, opens }) => {
    const process = fc.nat(processes - 1);
    const group = fc.constantFrom(...(capabilities.fanout ? names : names.slice(0, 1)));
    // Order by key is about messages that nothing else holds back
    const plain = sharing === 'ordered';
    const pauseMs = sized([0, 0, 5, 60], plain ? nearMs : [...nearMs, ...farMs]);
    const message: fc.Arbitrary<MessageSpec> = defined({
      bytes: fc.constantFrom(0, 1, 40, 70_000),
      again: sometimes(fc.nat(30), capabilities.uniqueIds === true),
      id: fc.option(fc.constantFrom(...ids), { nil: undefined, freq: 4 }),
      key: fc.option(
        fc.oneof({ arbitrary: fc.constantFrom(...keys), weight: 4 }, fc.constantFrom(...oddTexts)),
        {
          nil: undefined,
        },
      ),
      delayMs: sometimes(sized([1, 30, 150], [...nearMs, ...farMs]), capabilities.delay && !plain),
      priority: sometimes(fc.nat(9), capabilities.priority && !plain),
      expiresInMs: sometimes(
        sized([20, 60_000], [...nearMs, ...farMs]),
        capabilities.expiry === true && !plain,
      ),
    });
    const settling: fc.Arbitrary<Settling> = fc.oneof(
      { arbitrary: fc.constant<Settling>({ how: 'ack' }), weight: 6 },
      fc.constantFrom<Settling>({ how: 'ackTwice' }, { how: 'abandon' }),
      fc.record({ how: fc.constantFrom('fail' as const, 'giveBack' as const), pauseMs }),
      ...(capabilities.deadLetters ? [{ arbitrary: fc.constant<Settling>({ how: 'dead' }), weight: 2 }] : []),
      ...(capabilities.jobs
        ? [fc.record({ how: fc.constant('answer' as const), result: fc.nat(1_000) })]
        : []),
    );
    const held = fc.nat(40);
    const calls: fc.WeightedArbitrary<Step>[] = [
      { arbitrary: fc.record({ step: fc.constant('declare' as const), process, group }), weight: 2 },
      {
        arbitrary: fc.record({
          step: fc.constant('publish' as const),
          process,
          messages: fc.array(message, { minLength: 1, maxLength: 8 }),
        }),
        weight: 6,
      },
      {
        arbitrary: fc.record({
          step: fc.constant('open' as const),
          process,
          group,
          prefetch: sized([1, 2, 10], [100_000]),
        }),
        weight: 4,
      },
      { arbitrary: fc.record({ step: fc.constant('shut' as const), consumer: held }), weight: 2 },
      {
        arbitrary: fc.record({
          step: fc.constant('settle' as const),
          each: fc.array(
            fc.tuple(settling, held).map(([how, held]) => ({ ...how, held })),
            { minLength: 1, maxLength: 6 },
          ),
          again: fc.boolean(),
        }),
        weight: 10,
      },
    ];
    if (capabilities.deadLetters) {
      calls.push(
        {
          arbitrary: defined<Step>({
            step: fc.constant('letters' as const),
            process,
            group,
            op: fc.constantFrom('inspect' as const, 'redrive' as const, 'purge' as const),
            named: sometimes(fc.array(fc.integer({ min: -1, max: 10 }), { maxLength: 6, size: 'max' })),
            limit: sometimes(sized([1, 2], huge)),
          }),
          weight: 3,
        },
        {
          arbitrary: fc.record({
            step: fc.constant('pages' as const),
            process,
            group,
            limit: sized([1, 2, 5], huge),
          }),
          weight: 2,
        },
      );
    }
    const several: fc.WeightedArbitrary<Step[]>[] = [];
    if (capabilities.deadLetters) {
      // Pages are about more dead letters than single settlings leave
      several.push({
        arbitrary: fc.tuple(process, fc.constantFrom(1, 2, 5)).map(each => buried(names[0], ...each)),
        weight: 1,
      });
    }
    if (capabilities.jobs) {
      const op = fc.constantFrom('find' as const, 'find' as const, 'cancel' as const);
      calls.push(
        {
          arbitrary: fc.record({ step: fc.constant('job' as const), process, group, op, message: held }),
          weight: 3,
        },
        {
          arbitrary: fc.record({
            step: fc.constantFrom('pause' as const, 'resume' as const),
            process,
            group,
          }),
          weight: 1,
        },
        { arbitrary: fc.record({ step: fc.constant('stats' as const), process, group }), weight: 1 },
        {
          arbitrary: fc.record({ step: fc.constant('progress' as const), held, value: fc.nat(1_000) }),
          weight: 1,
        },
      );
    }
    const steps: fc.WeightedArbitrary<Step>[] = [...calls, ...othersSteps(site, group)];
    steps.push({
      arbitrary: fc.record({
        step: fc.constant('wait' as const),
        ms: fc.constantFrom(1, 10, 50, 120, Math.ceil(1.3 * leaseMs)),
      }),
      weight: 3,
    });
    if (breaks) steps.push({ arbitrary: fc.constant({ step: 'break' }), weight: 1 });
    if (loses) {
      const lost = fc.record({ step: fc.constant('lose' as const), of: fc.oneof(...calls) });
      steps.push({ arbitrary: lost, weight: 4 });
    }
    const all = fc.array(fc.oneof(...steps, ...several), { minLength: 2, maxLength: 30, size: 'max' });
    const opening = opens ? opened(names[0]) : [];
    return all.map(steps => ({ processes, sharing, steps: [...opening, ...steps.flat()] }));
  });
}

/** Mostly one of the first, and now and then an odd one. */
function sized(usual: readonly number[], odd: readonly number[]): fc.Arbitrary<number> {
  return fc.oneof({ arbitrary: fc.constantFrom(...usual), weight: 6 }, fc.constantFrom(...odd));
}

function buried(group: string, process: number, limit: number): Step[] {
  const each = [0, 1, 2, 3].map(held => ({ how: 'dead', held }) as const);
  return [
    { step: 'open', process, group, prefetch: 10 },
    { step: 'publish', process, messages: each.map(() => ({ bytes: 1 })) },
    { step: 'wait', ms: 10 },
    { step: 'settle', each },
    { step: 'pages', process, group, limit },
  ];
}

/** Most cases are about a group that is there. */
function opened(group: string): Step[] {
  return [
    { step: 'declare', process: 0, group },
    { step: 'open', process: 0, group, prefetch: 2 },
  ];
}
