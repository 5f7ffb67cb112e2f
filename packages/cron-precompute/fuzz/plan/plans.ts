import fc from 'fast-check';
import { oddCalls, oddOptions, oddValues } from '../world/nonsense.ts';
import type { Behavior, OptionsSpec, Place, Plan, ScheduleSpec, Step } from './plan.ts';

const minuteMs = 60_000;

/** Zones, with times shortly before something happens to their clocks. */
const zones: readonly (readonly [timeZone: string, ...times: string[]])[] = [
  ['UTC', '2026-06-01T12:00:00Z', '2026-12-31T23:50:00Z'],
  ['Europe/Berlin', '2026-03-29T00:10:00Z', '2026-10-24T23:30:00Z', '2026-10-25T00:40:00Z'],
  ['America/New_York', '2026-03-08T06:20:00Z', '2026-11-01T04:45:00Z', '2026-11-01T05:50:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T14:10:00Z', '2026-10-03T15:05:00Z'],
  ['America/Santiago', '2026-04-05T02:30:00Z', '2026-09-06T03:15:00Z'],
  ['Africa/Casablanca', '2026-02-15T01:30:00Z', '2026-03-22T01:20:00Z'],
  ['Pacific/Apia', '2011-12-30T08:30:00Z'],
  ['Asia/Kathmandu', '2026-06-01T18:00:00Z'],
];

const patterns: readonly (string | number)[] = [
  '* * * * *',
  '*/7 * * * *',
  '*/15 * * * *',
  '5,35 * * * *',
  '0 * * * *',
  '30 */2 * * *',
  '30 0 * * *',
  '0 0 * * *',
  '30 1 * * *',
  '45 1,2 * * *',
  '0,30 2 * * *',
  '10 1-3 * * *',
  '*/20 2 * * *',
  '15 3 * * 0',
  20_000,
  minuteMs,
  7 * minuteMs,
  60 * minuteMs,
];

const behaviors: readonly Behavior[] = [
  'throws',
  'throws what cannot be read',
  'hangs until its signal',
  'hangs',
  'hangs',
  'is slow',
  'is slow',
  'keeps checkpoints',
  'keeps checkpoints',
  'yields what is odd',
  'yields an odd key',
  'yields nothing',
  'reports odd progress',
  'is no iterable',
  'check refuses',
  'check throws',
  'check returns nothing',
  'check hangs',
  'sink throws',
  'sink hangs',
  'calls refresh',
  'calls pause',
  'calls resume',
  'calls rollback',
  'calls close',
  'calls back',
];

const places: readonly Place[] = [
  'state',
  'state',
  'runs',
  'runs',
  'pointer',
  'pointer',
  'pointer',
  'manifest',
  'chunks',
  'claim',
  'any',
];

/** Without what is undefined, which JSON does not hold. */
function lean<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
}

const schedules: fc.Arbitrary<ScheduleSpec> = fc
  .constantFrom(...zones)
  .chain(([timeZone, ...times]) =>
    fc.record({
      pattern: fc.constantFrom(...patterns),
      timeZone: fc.constant(timeZone),
      startsAt: fc.constantFrom(...times),
      skippedHour: fc.constantFrom(undefined, undefined, 'next', 'shift', 'skip'),
      repeatedHour: fc.constantFrom(undefined, undefined, 'first', 'second', 'both'),
      blackouts: fc.oneof(
        { weight: 3, arbitrary: fc.constant([]) },
        {
          weight: 1,
          arbitrary: fc.array(
            fc
              .tuple(fc.integer({ min: -60, max: 120 }), fc.integer({ min: 1, max: 240 }))
              .map(([from, length]) => [from, from + length] as const),
            { minLength: 1, maxLength: 2 },
          ),
        },
      ),
      asFunction: fc.boolean(),
    }),
  )
  .map(lean) as fc.Arbitrary<ScheduleSpec>;

const options = fc
  .record({
    misfire: fc
      .record({
        rule: fc.constantFrom('skip', 'once', 'once', 'all', 'all'),
        max: fc.constantFrom(1, 3, 100),
        graceMs: fc.constantFrom(0, 30_000, 10 * minuteMs),
        deadlineMs: fc.constantFrom(undefined, undefined, undefined, 5 * minuteMs, 90 * minuteMs),
      })
      .map(lean),
    overlap: fc.constantFrom('forbid', 'queue', 'replace'),
    jitterMs: fc.constantFrom(0, 0, 0, 10_000, 3 * minuteMs),
    timeoutMs: fc.constantFrom(undefined, undefined, 20_000, 5 * minuteMs),
    graceMs: fc.constantFrom(0, 1_000, 5_000),
    leaseMs: fc.constantFrom(2_000, 15_000),
    pollMs: fc.constantFrom(1_000, 5_000, 20_000, 120_000),
    crashes: fc.constantFrom(1, 3, 3, 10),
    keep: fc.constantFrom(1, 2, 3),
    readersGraceMs: fc.constantFrom(1_000, minuteMs),
    source: fc.constantFrom('generator', 'generator', 'chunks'),
    incremental: fc.boolean(),
    window: fc.constantFrom(
      undefined,
      undefined,
      undefined,
      undefined,
      { from: '01:00', to: '02:30' },
      { from: '23:30', to: '01:30' },
      { from: '02:15', to: '02:00' },
    ),
  })
  // Nobody looks often for hours
  .map(all =>
    lean(all.window === undefined ? all : { ...all, pollMs: 120_000 }),
  ) as fc.Arbitrary<OptionsSpec>;

const process = fc.nat(2);
const place = fc.constantFrom(...places);

function stepOf<S extends Step['step']>(
  weight: number,
  step: S,
  fields: { readonly [field: string]: fc.Arbitrary<unknown> } = {},
) {
  const arbitrary = fc.record({ step: fc.constant(step), ...fields }).map(lean);
  return { weight, arbitrary: arbitrary as unknown as fc.Arbitrary<Step> };
}

const steps = fc.oneof(
  stepOf(14, 'wait', {
    ms: fc.constantFrom(
      0,
      1,
      50,
      1_000,
      6_000,
      16_000,
      61_000,
      61_000,
      5 * minuteMs,
      31 * minuteMs,
      130 * minuteMs,
    ),
  }),
  stepOf(4, 'start', { process }),
  stepOf(2, 'close', { process }),
  stepOf(2, 'kill', { process }),
  stepOf(3, 'stop', { process }),
  stepOf(4, 'go', { process }),
  stepOf(9, 'behave', { behavior: fc.constantFrom(...behaviors) }),
  stepOf(4, 'change', { row: fc.nat(5), isGone: fc.boolean() }),
  stepOf(6, 'trap', {
    process,
    place,
    when: fc.constantFrom('before', 'after'),
    what: fc.constantFrom('kill', 'stop', 'stop'),
  }),
  stepOf(4, 'fault', {
    process,
    place,
    fault: fc.constantFrom('refused', 'answer lost', 'late'),
    times: fc.constantFrom(1, 1, 2, 20),
  }),
  stepOf(2, 'slow', { process, ms: fc.constantFrom(0, 10, 300, 2_000) }),
  stepOf(2, 'clock', { process, ms: fc.constantFrom(-20_000, -1_500, 0, 0.5, 900, 20_000) }),
  stepOf(7, 'refresh', { process, giveUpMs: fc.constantFrom(undefined, undefined, 0, 500) }),
  stepOf(1, 'backfill', { process, backMs: fc.constantFrom(0, 90_000, 10 * minuteMs) }),
  stepOf(2, 'rollback', { process, isPrevious: fc.boolean() }),
  stepOf(1, 'pause', { process }),
  stepOf(2, 'resume', { process }),
  stepOf(2, 'look', { process }),
  stepOf(2, 'odd call', {
    process,
    call: fc.constantFrom(...oddCalls),
    value: fc.constantFrom(...oddValues),
  }),
  stepOf(3, 'odd option', { option: fc.constantFrom(...oddOptions), value: fc.constantFrom(...oddValues) }),
);

/** Runs that were asked for and go on past ticks; whoever never starts the schedule has no others. */
const longRuns: fc.Arbitrary<Step[]> = fc
  .tuple(process, fc.constantFrom<Behavior>('is slow', 'hangs', 'hangs until its signal'))
  .map(([process, behavior]) => [
    { step: 'behave', behavior },
    { step: 'refresh', process, giveUpMs: undefined },
    { step: 'wait', ms: 61_000 },
  ]);

const parts = fc.oneof(
  { weight: 20, arbitrary: steps.map(step => [step]) },
  { weight: 1, arbitrary: longRuns },
);

/** To wait a day for a window, with a tick every minute, takes too long. */
function rarely(plan: Plan): Plan {
  const { schedule, options } = plan;
  const isOften =
    typeof schedule.pattern === 'number' ? schedule.pattern < 600_000 : /^\*( |\/7)/.test(schedule.pattern);
  return options.window !== undefined && isOften
    ? { ...plan, schedule: { ...schedule, pattern: '*/15 * * * *' } }
    : plan;
}

export const plans: fc.Arbitrary<Plan> = fc
  .record({
    schedule: schedules,
    options,
    processes: fc.integer({ min: 1, max: 3 }),
    unstarted: fc.constantFrom(0, 0, 0, 1, 3, 3),
    steps: fc.array(parts, { minLength: 2, maxLength: 30, size: 'max' }).map(each => each.flat()),
  })
  .map(rarely);
