import fc from 'fast-check';
import type { StoreFault, Trap } from './process.ts';

export const slots = 4;
export const shardNames: readonly string[] = ['a', 'b', 'c'];
export const tenants = 8;
export const coordinators = 2;
/** Of a directory, those that have an entry in the beginning. */
export const placed = 6;

export type Level = 'default' | 'strong' | 'session' | 'eventual';

/** What happens in one case, as JSON holds it. Numbers of processes are taken modulo how many there are, those of moves too. */
export interface Plan {
  readonly routers: number;
  /** How long rows are on the way between two shards, in milliseconds. */
  readonly transportMs: number;
  /** Of a directory, most tenants have an entry in the beginning, and all others are refused. Default: by hash. */
  readonly layout?: 'hash' | 'directory';
  readonly steps: readonly Step[];
}

export type Step =
  | { readonly step: 'wait'; readonly ms: number }
  | {
      readonly step: 'insert' | 'remove';
      readonly router: number;
      readonly tenant: number;
      readonly how: 'write' | 'two statements' | 'transaction' | 'slow transaction';
    }
  | { readonly step: 'read'; readonly router: number; readonly tenant: number; readonly level: Level }
  | { readonly step: 'look'; readonly router: number; readonly tenant: number }
  | { readonly step: 'pause' | 'go'; readonly router: number }
  | {
      readonly step: 'begin';
      readonly coordinator: number;
      /** Which of the shards that do not have the slot. */
      readonly to: number;
      readonly slot: number;
    }
  /** The entry of a tenant is taken out of the directory, if it has no rows, or with them. */
  | {
      readonly step: 'forget';
      readonly coordinator: number;
      readonly tenant: number;
      readonly keepsRows?: boolean;
    }
  /** What a shard has of a tenant that it has lost is deleted there. */
  | { readonly step: 'purge'; readonly coordinator: number; readonly tenant: number; readonly shard: number }
  /** A tenant gets a slot of its own on a shard (of `place`, the one where it is not), or has none any more. */
  | {
      readonly step: 'own' | 'place' | 'join';
      readonly coordinator: number;
      readonly tenant: number;
      readonly to: number;
    }
  | {
      readonly step: 'run' | 'abort' | 'rollback' | 'finish';
      readonly coordinator: number;
      readonly move: number;
    }
  | ({ readonly step: 'trap'; readonly coordinator: number } & Trap)
  | { readonly step: 'watch' | 'kill' | 'stop' | 'resume'; readonly coordinator: number }
  | { readonly step: 'store'; readonly process: number; readonly fault: StoreFault };

/** Where a coordinator may stand still, or die. */
export const traps: readonly string[] = [
  'prepare',
  'copy',
  'verify',
  'fence',
  'fence',
  'drain',
  'recheck',
  'recheck',
  'turn',
  'turn',
  'unfence',
  'abort',
  'finish',
  'set',
];

/** And where it closes or opens what shards refuse of entries. */
const entryTraps: readonly string[] = ['retire', 'retire', 'admit', 'admit', 'purge', 'set'];

export function plans(): fc.Arbitrary<Plan> {
  return fc.oneof({ arbitrary: plansOf('hash'), weight: 2 }, { arbitrary: plansOf('directory'), weight: 1 });
}

function plansOf(layout: 'hash' | 'directory'): fc.Arbitrary<Plan> {
  const router = fc.nat(2);
  const tenant = fc.nat(tenants - 1);
  const coordinator = fc.nat(coordinators - 1);
  const move = fc.nat(2);
  const step = fc.oneof(
    {
      arbitrary: fc.record({
        step: fc.constant('wait' as const),
        ms: fc.constantFrom(0, 0, 1, 5, 30, 120, 700, 3_000, 12_000),
      }),
      weight: 9,
    },
    {
      arbitrary: fc.record({
        step: fc.constantFrom('insert' as const, 'insert' as const, 'remove' as const),
        router,
        tenant,
        how: fc.constantFrom(
          'write' as const,
          'two statements' as const,
          'transaction' as const,
          'transaction' as const,
          'slow transaction' as const,
        ),
      }),
      weight: 10,
    },
    {
      arbitrary: fc.record({
        step: fc.constant('read' as const),
        router,
        tenant,
        level: fc.constantFrom(
          'default' as const,
          'strong' as const,
          'session' as const,
          'eventual' as const,
        ),
      }),
      weight: 8,
    },
    { arbitrary: fc.record({ step: fc.constant('look' as const), router, tenant }), weight: 2 },
    { arbitrary: fc.record({ step: fc.constantFrom('pause' as const, 'go' as const), router }), weight: 3 },
    {
      arbitrary: fc.record({
        step: fc.constant('begin' as const),
        coordinator,
        to: fc.nat(1),
        slot: fc.nat(slots - 1),
      }),
      weight: 5,
    },
    {
      arbitrary: fc.record({
        step: fc.constantFrom('own' as const, 'place' as const, 'join' as const, 'join' as const),
        coordinator,
        tenant,
        to: fc.nat(1),
      }),
      weight: 5,
    },
    {
      arbitrary: fc.record({
        step: fc.constant('forget' as const),
        coordinator,
        tenant,
        keepsRows: fc.constantFrom(false, false, true),
      }),
      weight: layout === 'directory' ? 6 : 0,
    },
    {
      arbitrary: fc.record({
        step: fc.constant('purge' as const),
        coordinator,
        tenant,
        shard: fc.nat(shardNames.length - 1),
      }),
      weight: layout === 'directory' ? 3 : 0,
    },
    { arbitrary: fc.record({ step: fc.constant('run' as const), coordinator, move }), weight: 3 },
    { arbitrary: fc.record({ step: fc.constant('watch' as const), coordinator }), weight: 2 },
    {
      arbitrary: fc.record({
        step: fc.constantFrom('abort' as const, 'rollback' as const, 'rollback' as const, 'finish' as const),
        coordinator,
        move,
      }),
      weight: 3,
    },
    {
      arbitrary: fc.record({
        step: fc.constantFrom('kill' as const, 'stop' as const, 'resume' as const, 'resume' as const),
        coordinator,
      }),
      weight: 4,
    },
    {
      arbitrary: fc.record({
        step: fc.constant('trap' as const),
        coordinator,
        at: fc.constantFrom(...traps, ...(layout === 'directory' ? [...entryTraps, ...entryTraps] : [])),
        when: fc.constantFrom('before' as const, 'after' as const),
        what: fc.constantFrom('kill' as const, 'stop' as const),
      }),
      weight: 5,
    },
    {
      arbitrary: fc.record({
        step: fc.constant('store' as const),
        process: fc.nat(4),
        fault: fc.constantFrom('refused' as const, 'answer lost' as const, 'late' as const),
      }),
      weight: 2,
    },
  );
  return fc.record({
    layout: fc.constant(layout),
    routers: fc.integer({ min: 1, max: 3 }),
    transportMs: fc.constantFrom(0, 0, 2, 40, 700),
    steps: fc.array(step, { minLength: 3, maxLength: 40, size: 'max' }),
  });
}
