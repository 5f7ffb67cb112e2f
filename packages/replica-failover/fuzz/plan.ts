import fc from 'fast-check';

/** What happens in one case, as JSON holds it. Numbers of processes are taken modulo how many there are. */
export interface Plan {
  readonly authority: 'roles' | 'leading';
  readonly processes: number;
  readonly lagMs: number;
  readonly steps: readonly Step[];
}

const serverSteps = ['kill', 'start', 'stop', 'resume', 'pauseReplay', 'resumeReplay'] as const;

export type Level = 'default' | 'strong' | 'session' | 'monotonic' | 'eventual' | 'nearest' | 'bounded';

export type Step =
  | { readonly step: (typeof serverSteps)[number] | 'promote' | 'rejoin'; readonly server: string }
  | {
      readonly step: 'write' | 'transaction' | 'failing';
      readonly process: number;
      /** The number of the session; 0 for none. */
      readonly session: number;
      readonly timeoutMs: number;
    }
  | { readonly step: 'read'; readonly process: number; readonly session: number; readonly level: Level }
  | { readonly step: 'pause' | 'go'; readonly process: number }
  | { readonly step: 'wait'; readonly ms: number };

export const serverIds: readonly string[] = ['a', 'b', 'c'];

export function plans(): fc.Arbitrary<Plan> {
  const process = fc.nat(2);
  const session = fc.constantFrom(0, 1, 1, 2);
  const server = fc.constantFrom(...serverIds);
  const step = fc.oneof(
    { arbitrary: fc.record({ step: fc.constantFrom(...serverSteps), server }), weight: 6 },
    {
      arbitrary: fc.record({ step: fc.constantFrom('promote' as const, 'rejoin' as const), server }),
      weight: 2,
    },
    {
      arbitrary: fc.record({
        step: fc.constantFrom('write' as const, 'write' as const, 'transaction' as const, 'failing' as const),
        process,
        session,
        timeoutMs: fc.constantFrom(10, 200, 5_000),
      }),
      weight: 9,
    },
    {
      arbitrary: fc.record({
        step: fc.constant('read' as const),
        process,
        session,
        level: fc.constantFrom<Level[]>(
          'default',
          'strong',
          'session',
          'session',
          'monotonic',
          'monotonic',
          'eventual',
          'nearest',
          'bounded',
        ),
      }),
      weight: 9,
    },
    { arbitrary: fc.record({ step: fc.constantFrom('pause' as const, 'go' as const), process }), weight: 1 },
    {
      arbitrary: fc.record({
        step: fc.constant('wait' as const),
        ms: fc.constantFrom(0, 1, 10, 60, 300, 1_500),
      }),
      weight: 7,
    },
  );
  return fc.record({
    authority: fc.constantFrom('roles' as const, 'leading' as const),
    processes: fc.integer({ min: 1, max: 3 }),
    lagMs: fc.constantFrom(0, 5, 40),
    steps: fc.array(step, { minLength: 2, maxLength: 30, size: 'max' }),
  });
}
