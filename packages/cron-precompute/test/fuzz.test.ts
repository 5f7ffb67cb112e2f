import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Plan } from '../fuzz/plan/plan.ts';
import { fuzz } from '../fuzz/run.ts';
import { Process } from '../fuzz/world/process.ts';
import type { Pointer } from '../src/publish/pointer.ts';
import { Vault } from '../src/publish/vault.ts';
import { Reader } from '../src/read/reader.ts';
import { Driver } from '../src/runs/driver.ts';
import { Ledger } from '../src/runs/ledger.ts';
import type * as MisfireModule from '../src/schedule/misfire.ts';

const planted = vi.hoisted((): { coalesces: 'once' | 'twice' | 'none' } => ({ coalesces: 'once' }));

vi.mock('../src/schedule/misfire.ts', async importOriginal => {
  const original = await importOriginal<typeof MisfireModule>();
  return {
    ...original,
    dueTicks: (...args: Parameters<typeof original.dueTicks>) => {
      const due = original.dueTicks(...args);
      if (due === undefined || planted.coalesces === 'once') return due;
      return { ...due, launch: planted.coalesces === 'none' ? [] : due.launch.flatMap(tick => [tick, tick]) };
    },
  };
});

/** Cases are played as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 180_000 });

afterEach(() => {
  vi.restoreAllMocks();
  planted.coalesces = 'once';
});

const { update, setChunk, chunk, pointer } = Vault.prototype;
const { setRecord } = Ledger.prototype;
const { sleep } = Process.prototype;

/** Every change of the pointer is decided without this part of it, which stays unless the change sets it. */
function without<K extends keyof Pointer>(part: K, nothing: Pointer[K]): void {
  vi.spyOn(Vault.prototype, 'update').mockImplementation(function (this: Vault, change) {
    return update.call(this, now => {
      const seen = { ...now, [part]: nothing };
      const next = change(seen);
      if (next === seen) return now;
      return next[part] === nothing ? { ...next, [part]: now[part] } : next;
    });
  });
}

/** Nothing is due for days, and one run is wanted, which takes 18 seconds. */
function slowRun(options: Partial<Plan['options']>, ...steps: Plan['steps']): Plan {
  return {
    schedule: {
      pattern: '15 3 * * 0',
      timeZone: 'UTC',
      startsAt: '2026-06-01T12:00:00Z',
      blackouts: [],
      asFunction: false,
    },
    options: {
      misfire: { rule: 'once', max: 1, graceMs: 0 },
      ...{ overlap: 'forbid', jitterMs: 0, graceMs: 0, leaseMs: 2_000, pollMs: 1_000, crashes: 10 },
      ...{ keep: 3, readersGraceMs: 60_000, source: 'generator', incremental: false },
      ...options,
    },
    processes: 2,
    steps: [
      { step: 'behave', behavior: 'is slow' },
      { step: 'refresh', process: 0, giveUpMs: undefined },
      { step: 'wait', ms: 1_000 },
      ...steps,
    ],
  };
}

/** The process that has the run stands still just before it publishes, and goes on while another has it. */
const standstill = slowRun(
  {},
  { step: 'behave', behavior: 'hangs' },
  { step: 'trap', process: 0, place: 'pointer', when: 'before', what: 'stop' },
  { step: 'wait', ms: 61_000 },
  { step: 'go', process: 0 },
  { step: 'wait', ms: 5_000 },
);

/** Three versions, and rows that change between them. */
const changing = slowRun(
  { incremental: true },
  { step: 'wait', ms: 61_000 },
  ...[1, 2].flatMap(
    row =>
      [
        { step: 'change', row, isGone: false },
        { step: 'wait', ms: 61_000 },
        { step: 'refresh', process: 0 },
        { step: 'wait', ms: 61_000 },
      ] as unknown as Plan['steps'],
  ),
);

/** A run that was asked for goes on past a tick, and nobody has started the schedule. */
const unstarted: Plan = {
  ...slowRun({}, { step: 'wait', ms: 61_000 }),
  schedule: { ...standstill.schedule, pattern: '* * * * *', startsAt: '2026-06-01T12:00:50Z' },
  unstarted: 2,
};

describe('fuzzing data sets', () => {
  it('finds nothing', async () => {
    const { cases, findings, uncaught } = await fuzz({ seed: 1, runs: 300, withinMs: 20_000 });
    expect(findings).toEqual([]);
    expect(uncaught).toEqual([]);
    expect(cases['memory']).toBeGreaterThan(0);
  });

  const faults: Record<string, { plant(): void; complaint: RegExp; plan?: Plan }> = {
    'missed ticks that coalesce twice': {
      plant: () => {
        planted.coalesces = 'twice';
      },
      complaint: /ticks: one is launched twice/,
    },
    'a tick that is lost': {
      plant: () => {
        planted.coalesces = 'none';
      },
      complaint: /ticks: (of 1, 0 are launched|one is not launched that the rule says)/,
    },
    'publishing without a fence': {
      plant: () => without('fence', { token: '0', holder: '' }),
      complaint: /version: an attempt that is fenced has published/,
      plan: standstill,
    },
    'publishing over what is newer': {
      plant: () => without('floor', -Infinity),
      complaint: /version: a run is published over a newer one/,
    },
    'publishing after a rollback': {
      plant: () => without('isHeld', false),
      complaint: /version: one is published while a rollback holds publishing/,
    },
    'overwriting in place': {
      plant: () => {
        const placeOf = (id: string) => id.replace(/^.*-/, '');
        vi.spyOn(Vault.prototype, 'setChunk').mockImplementation(function (this: Vault, _version, id, bytes) {
          return setChunk.call(this, 0, placeOf(id), bytes);
        });
        vi.spyOn(Vault.prototype, 'chunk').mockImplementation(function (this: Vault, _version, part) {
          return chunk.call(this, 0, { ...part, id: placeOf(part.id) });
        });
      },
      complaint: /version: (one that is kept is not whole|it is not whole)|chunk .* is damaged/,
    },
    'deleting the version before at once': {
      plant: () => {
        vi.spyOn(Vault.prototype, 'update').mockImplementation(async function (this: Vault, change) {
          const before = await this.pointer();
          const after = await update.call(this, change);
          if (after.current > before.current) await this.deleteVersion(before.current);
          return after;
        });
      },
      complaint: /version: one that is kept is not whole/,
    },
    'a reader that goes back': {
      plant: () => {
        const first = new WeakMap<Vault, Pointer>();
        let reads = 0;
        vi.spyOn(Vault.prototype, 'pointer').mockImplementation(async function (this: Vault) {
          const now = await pointer.call(this);
          const before = first.get(this) ?? now;
          if (now.current > 0) first.set(this, before);
          return ++reads % 7 === 0 ? before : now;
        });
      },
      complaint: /read: an older version comes after a newer one/,
      plan: changing,
    },
    'a history that lies': {
      plant: () => {
        vi.spyOn(Ledger.prototype, 'setRecord').mockImplementation(function (this: Ledger, record, version) {
          const lie = record.status === 'failed' ? { ...record, status: 'succeeded' as const } : record;
          return setRecord.call(this, lie, version);
        });
      },
      complaint: /history: a run has succeeded, and published nothing/,
    },
    'looks without a rest': {
      plant: () => {
        vi.spyOn(Process.prototype, 'sleep').mockImplementation(function (this: Process, ms, signal) {
          return ms === unstarted.options.pollMs ? this.pass() : sleep.call(this, ms, signal);
        });
      },
      complaint: /looks: a process looks again and again without a rest/,
      plan: unstarted,
    },
    'an end that leaves a timer': {
      plant: () => {
        vi.spyOn(Reader.prototype, 'close').mockResolvedValue(undefined);
      },
      complaint: /close: it leaves/,
    },
    'an end that never comes': {
      plant: () => {
        vi.spyOn(Driver.prototype, 'close').mockReturnValue(new Promise(() => {}));
      },
      complaint: /close: it does not end/,
    },
  };
  it.each([standstill, changing, unstarted])('finds nothing in the cases of rare faults', async plan => {
    expect((await fuzz({ seed: 1, runs: 1, withinMs: 60_000, plan })).findings).toEqual([]);
  });

  it.each(Object.entries(faults))('finds %s', async (_name, { plant, complaint, plan }) => {
    plant();
    const once = plan === undefined ? {} : { plan };
    const { findings } = await fuzz({
      ...{ seed: 1, runs: 2_000, withinMs: 120_000, first: true, shrinkMs: 0 },
      ...once,
    });
    expect(findings.flatMap(({ complaints }) => complaints).join('\n')).toMatch(complaint);
  });
});
