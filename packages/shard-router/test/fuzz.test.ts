import { getJson, type Store, setJson } from '@ashlar/store';
import { describe, expect, it, vi } from 'vitest';
import { type Plan, type Step, slots, traps } from '../fuzz/plan.ts';
import type { PlayOptions } from '../fuzz/play.ts';
import { Process, type Trap } from '../fuzz/process.ts';
import { fuzzReplacing } from '../fuzz/replacing/run.ts';
import { fuzz } from '../fuzz/run.ts';
import { type MemoryShard, WrongShardError } from '../src/index.ts';
import { Slots } from '../src/keys/slots.ts';
import { Maps } from '../src/map/maps.ts';
import { ownersOf, type ShardMap } from '../src/map/shard-map.ts';
import type { MoveBackend } from '../src/moves/move-backend.ts';
import { altered } from './support/altered.ts';

/** Cases are played as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 180_000 });

describe('fuzzing moves', () => {
  it('finds nothing', async () => {
    const { cases, findings, uncaught } = await fuzz({ seed: 1, runs: 250, withinMs: 15_000 });
    expect(findings).toEqual([]);
    expect(uncaught).toEqual([]);
    expect(cases['memory']).toBeGreaterThan(0);
  });

  it('finds nothing where servers are replaced between the steps', async () => {
    const { cases, findings, uncaught } = await fuzzReplacing({
      seed: 1,
      runs: 60,
      withinMs: 15_000,
      only: ['memory'],
    });
    expect(findings).toEqual([]);
    expect(uncaught).toEqual([]);
    expect(cases['memory']).toBeGreaterThan(0);
  });

  it.each(['kill', 'stop'] as const)(
    '%s a coordinator at every step: nothing is lost, or left',
    async what => {
      for (const back of [false, true]) {
        for (const at of new Set(traps)) {
          for (const when of ['before', 'after'] as const) {
            const plan: Plan = { routers: 2, transportMs: 2, steps: crashed({ at, when, what }, back) };
            const once = { seed: 1, runs: 1, withinMs: 60_000, shrinkMs: 0, plan };
            expect((await fuzz(once)).findings, `${when} ${at}`).toEqual([]);
          }
        }
      }
    },
  );

  for (const [name, { steps, options, transportMs = 0, layout = 'hash', complaint }] of Object.entries(
    mutants,
  )) {
    it(`finds ${name}`, async () => {
      const plan: Plan = { routers: 2, transportMs, layout, steps };
      const once = { seed: 1, runs: 1, withinMs: 60_000, shrinkMs: 0, plan };
      expect((await fuzz({ ...once, ...(options.store && { store: slowWatch }) })).findings).toEqual([]);
      const { findings } = await fuzz({ ...once, ...options });
      expect(findings.flatMap(({ complaints }) => complaints).join('\n')).toMatch(complaint);
    });
  }
});

interface Mutant {
  readonly layout?: Plan['layout'];
  readonly options: PlayOptions;
  readonly steps: readonly Step[];
  readonly transportMs?: number;
  readonly complaint: RegExp;
}

const tenant = 0;
const begin: Step = { step: 'begin', coordinator: 0, to: 0, slot: new Slots('int8', slots).of(tenant) };
const stopAt = (at: string, when: 'before' | 'after'): Step => ({
  step: 'trap',
  coordinator: 0,
  at,
  when,
  what: 'stop',
});
const resume: Step = { step: 'resume', coordinator: 0 };
const wait = (ms: number): Step => ({ step: 'wait', ms });
const insert = (router: number): Step => ({ step: 'insert', router, tenant, how: 'transaction' });
const read = (router: number): Step => ({ step: 'read', router, tenant, level: 'strong' });

/** Of a tenant that is on `b` in the beginning. */
const forget = (coordinator: number): Step => ({ step: 'forget', coordinator, tenant: 1 });

const lost = /misses|told not executed/;
const stale = /read strong: it (misses|sees)/;

/** Writes and reads around a crash, in a move or in its rollback; another process goes on, or this one when it is too late. */
function crashed(trap: Trap, back: boolean): Step[] {
  const remove: Step = { step: 'remove', router: 1, tenant, how: 'write' };
  const manage = (step: 'run' | 'rollback' | 'abort' | 'finish', coordinator: number): Step => ({
    step,
    coordinator,
    move: 0,
  });
  const first: Step[] = back ? [wait(700), insert(0), manage('rollback', 0)] : [];
  const last = trap.at === 'abort' ? manage('abort', 1) : manage(trap.at === 'finish' ? 'finish' : 'run', 1);
  return [
    insert(0),
    begin,
    ...first,
    { step: 'trap', coordinator: 0, ...trap },
    ...[wait(120), insert(0), wait(120), read(1), insert(1), remove, wait(30)],
    ...[last, wait(700), insert(0), read(0), wait(3_000), read(1), resume, wait(700), insert(1), remove],
  ];
}

/** What could be done wrong, and what happens so that it shows. */
const mutants: Readonly<Record<string, Mutant>> = {
  'a fence that is not closed': {
    options: { backend: backend => altered(backend, { async fence() {} }) },
    steps: [begin, stopAt('turn', 'after'), wait(700), insert(0), resume],
    complaint: lost,
  },
  'a check of the map instead of the fence': {
    options: {
      backend: backend => altered(backend, { async fence() {} }),
      shard: (shard, store) => checking(shard, store),
    },
    steps: [begin, stopAt('turn', 'after'), wait(700), insert(0), resume],
    complaint: lost,
  },
  'a fence that lets DELETE pass': {
    options: { shard: shard => deleting(shard) },
    steps: [
      insert(0),
      begin,
      stopAt('turn', 'after'),
      wait(700),
      { step: 'remove', router: 0, tenant, how: 'write' },
      resume,
    ],
    complaint: stale,
  },
  'what is on the way that is asked for before the fence': {
    options: {
      backend: backend =>
        altered(backend, {
          async fence(move, context, withinMs) {
            await backend.drain(move, context);
            await backend.fence(move, context, withinMs);
          },
          ...unchecked,
        }),
    },
    steps: [begin, wait(120), { ...insert(0), how: 'slow transaction' } as Step, wait(700), wait(3_000)],
    transportMs: 40,
    complaint: lost,
  },
  'a lag of nothing': {
    options: { backend: backend => altered(backend, unchecked) },
    steps: [begin, stopAt('fence', 'before'), wait(700), insert(0), resume],
    transportMs: 40,
    complaint: lost,
  },
  'a commit in two steps': {
    options: { store: (store, of) => (of === 'router' ? store : inTwoSteps(store)) },
    steps: [
      insert(0),
      begin,
      stopAt('turn', 'after'),
      wait(700),
      stopAt('set', 'after'),
      resume,
      wait(30),
      insert(0),
      wait(3_000),
      { step: 'abort', coordinator: 1, move: 0 },
      wait(3_000),
      read(0),
      resume,
    ],
    complaint: /map: .*has slot/,
  },
  'a worker that nobody supersedes': {
    options: {
      backend: backend =>
        altered(backend, {
          unfence: (move, context) => backend.unfence(move, { ...context, token: 2n ** 62n }),
        }),
    },
    steps: [
      begin,
      stopAt('unfence', 'before'),
      wait(120),
      { ...insert(0), how: 'slow transaction' } as Step,
      wait(120),
      wait(3_000),
      { step: 'run', coordinator: 1, move: 0 },
      wait(3_000),
      resume,
    ],
    transportMs: 700,
    complaint: /fence: . can be written/,
  },
  'an entry that is forgotten before its shard refuses it': {
    layout: 'directory',
    options: {
      backend: backend => altered(backend, { retire: async () => [] }),
    },
    steps: [
      stopAt('retire', 'after'),
      forget(0),
      wait(120),
      { ...insert(0), tenant: 1 } as Step,
      wait(30),
      resume,
      wait(700),
    ],
    complaint: /misses/,
  },
  'a call that closes and opens entries after its lease': {
    layout: 'directory',
    options: {
      backend: backend =>
        altered(backend, {
          retire: (move, context, how) => backend.retire!(move, { ...context, token: 0n }, how),
          admit: (move, context) => backend.admit!(move, { ...context, token: 0n }),
        }),
    },
    // The first finds rows, and stands still when it is to open what it has closed
    steps: [
      { ...insert(0), tenant: 1 } as Step,
      stopAt('admit', 'before'),
      forget(0),
      wait(3_000),
      { step: 'remove', router: 0, tenant: 1, how: 'write' },
      wait(3_000),
      forget(1),
      wait(3_000),
      resume,
      wait(700),
    ],
    complaint: /b lets 1 be written/,
  },
  'routers that nobody waits for': {
    options: {
      store: (store, of) => (of === 'router' ? slowWatch(store) : altered(store, { async *list() {} })),
    },
    steps: [begin, wait(120), wait(120), wait(30), insert(1), wait(5), read(0)],
    transportMs: 40,
    complaint: stale,
  },
  'a router that trusts its copy for ever': {
    options: { store: slowWatch, routerClock: process => new StandingClock(process) },
    steps: [
      { step: 'pause', router: 0 },
      begin,
      wait(12_000),
      insert(1),
      wait(5),
      read(0),
      { step: 'go', router: 0 },
    ],
    transportMs: 40,
    complaint: stale,
  },
};

const unchecked: Partial<MoveBackend> = {
  async drain() {},
  async recheck() {
    return { rows: 0, differences: [] };
  },
};

/** A store that is slow to say that something has changed. */
function slowWatch(store: Store): Store {
  return altered(store, {
    async *watch(_prefix, { signal }) {
      await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()));
    },
  });
}

/** A store in which slots change hands before their move is committed. */
function inTwoSteps(store: Store): Store {
  return altered(store, {
    async set(key, value, options) {
      const entry = key.endsWith(':map') ? await getJson<ShardMap>(store, key) : undefined;
      const after = JSON.parse(new TextDecoder().decode(value)) as ShardMap;
      if (entry === undefined || after.epoch === entry.value.epoch) return store.set(key, value, options);
      const version = await setJson(store, key, { ...after, moves: entry.value.moves }, options);
      return setJson(store, key, { ...after, revision: after.revision + 1 }, { ifVersion: version });
    },
  });
}

/** A shard with no fence, whose writers look at the map first. */
function checking(shard: MemoryShard, store: Store): MemoryShard {
  const maps = new Maps(store, 'shards');
  const check = async () => {
    const owners = ownersOf((await maps.read())!);
    if (owners[(begin as { slot: number }).slot] !== shard.name) throw new WrongShardError(shard.name);
  };
  return altered(shard, {
    async write(work, scope) {
      await check();
      return shard.write(work, scope);
    },
    async transaction(work, scope) {
      await check();
      return shard.transaction(work, scope);
    },
  });
}

/** A shard whose deletes pass its fences. */
function deleting(shard: MemoryShard): MemoryShard {
  return altered(shard, {
    async write(work, scope) {
      return shard.write(
        client =>
          work({
            async execute(statement) {
              try {
                return await client.execute(statement);
              } catch (error) {
                if (statement.kind !== 'delete' || !(error instanceof WrongShardError)) throw error;
                const key = Object.fromEntries(
                  statement.where.map(each => [each.column, 'value' in each ? each.value : null]),
                );
                const name = statement.table.name;
                const moved = {
                  slices: [],
                  key: 'int8',
                  slots: 1,
                  tables: { [name]: statement.table.spec },
                } as const;
                await shard.apply(moved, [{ table: name, key, row: undefined }]);
                return { rows: [], count: 1 };
              }
            },
          }),
        scope,
      );
    },
  });
}

class StandingClock extends Process {
  readonly #process: Process;

  constructor(process: Process) {
    super(process);
    this.#process = process;
  }

  override now(): number {
    return 0;
  }

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#process.sleep(ms, signal);
  }
}
