import fc from 'fast-check';

/**
 * What stands in for a server that is lost: an `empty` one with the same tables; what a `backup` of before had, and nothing that follows or
 * is followed; the `disk` of before, which goes on following.
 */
export type How = 'empty' | 'backup' | 'disk';

/** Something that happens when a step of the move is called for the n-th time. */
export interface Happening {
  readonly at: string;
  readonly n: number;
  readonly when: 'before' | 'after';
  readonly what: Deed;
}

export type Deed =
  | { readonly do: 'replace'; readonly side: 'source' | 'target'; readonly how: How }
  /** Of both shards. What is restored is the last one. */
  | { readonly do: 'back up' }
  | { readonly do: 'write' | 'delete'; readonly key: number }
  /** The process loses its answer. */
  | { readonly do: 'fail' };

export interface ReplacingPlan {
  readonly happenings: readonly Happening[];
  /** After the first run of the move. */
  readonly acts: readonly ('run' | 'rollback' | 'finish' | 'abort' | 'verify')[];
}

const steps = [
  'prepare',
  'copy',
  'lag',
  'verify',
  'fence',
  'fence',
  'drain',
  'recheck',
  'recheck',
  'turn',
  'turn',
  'follow',
  'unfence',
  'finish',
];

/** A move that is over looks at nothing any more, nor does one at the source when only the change of the map is left. */
function isTooLate({ at, when, what }: Happening): boolean {
  if (when === 'before') return false;
  return at === 'finish' || (at === 'turn' && what.do === 'replace' && what.side === 'source');
}

export function replacingPlans(hows: readonly How[]): fc.Arbitrary<ReplacingPlan> {
  const what: fc.Arbitrary<Deed> = fc.oneof(
    {
      arbitrary: fc.record({
        do: fc.constant('replace' as const),
        side: fc.constantFrom('source' as const, 'target' as const, 'target' as const),
        how: fc.constantFrom(...hows),
      }),
      weight: 4,
    },
    { arbitrary: fc.constant({ do: 'back up' as const }), weight: 3 },
    {
      arbitrary: fc.record({
        do: fc.constantFrom('write' as const, 'write' as const, 'delete' as const),
        key: fc.nat(11),
      }),
      weight: 5,
    },
    { arbitrary: fc.constant({ do: 'fail' as const }), weight: 1 },
  );
  return fc.record({
    happenings: fc.array(
      fc
        .record({
          at: fc.constantFrom(...steps),
          n: fc.constantFrom(1, 1, 1, 2),
          when: fc.constantFrom('before' as const, 'after' as const),
          what,
        })
        .filter(each => !isTooLate(each)),
      { minLength: 1, maxLength: 8, size: 'max' },
    ),
    acts: fc.array(
      fc.constantFrom(
        'run' as const,
        'run' as const,
        'rollback' as const,
        'rollback' as const,
        'finish' as const,
        'abort' as const,
        'verify' as const,
      ),
      { maxLength: 4 },
    ),
  });
}
