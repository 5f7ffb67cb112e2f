import { afterEach, describe, expect, it, vi } from 'vitest';
import { fuzz } from '../fuzz/run.ts';
import type { Pointer } from '../src/publish/pointer.ts';
import { Publisher } from '../src/publish/publisher.ts';
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
const { setState, setRecord } = Ledger.prototype;

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

describe('fuzzing data sets', () => {
  it('finds nothing', async () => {
    const { cases, findings, uncaught } = await fuzz({ seed: 1, runs: 300, withinMs: 20_000 });
    expect(findings).toEqual([]);
    expect(uncaught).toEqual([]);
    expect(cases['memory']).toBeGreaterThan(0);
  });

  const faults: Record<string, { plant(): void; complaint: RegExp }> = {
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
    'a state that is written over another one': {
      plant: () => {
        vi.spyOn(Ledger.prototype, 'setState').mockImplementation(async function (this: Ledger, state) {
          const now = await this.state();
          return setState.call(this, state, now?.version ?? 'absent');
        });
      },
      complaint: /ticks: |history: /,
    },
    'publishing without a fence': {
      plant: () => without('fence', { token: '0', holder: '' }),
      complaint: /version: an attempt that is fenced has published/,
    },
    'publishing over what is newer': {
      plant: () => without('floor', -Infinity),
      complaint: /version: a run is published over a newer one/,
    },
    'publishing after a rollback': {
      plant: () => without('isHeld', false),
      complaint: /version: one is published while a rollback holds publishing/,
    },
    'a timeout that fences nothing': {
      plant: () => {
        vi.spyOn(Publisher.prototype, 'fence').mockResolvedValue(false);
      },
      complaint: /history: a run that is timed-out has published/,
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
        const last = new WeakMap<Vault, Pointer>();
        let reads = 0;
        vi.spyOn(Vault.prototype, 'pointer').mockImplementation(async function (this: Vault) {
          const now = await pointer.call(this);
          const before = last.get(this) ?? now;
          last.set(this, now);
          return ++reads % 3 === 0 ? before : now;
        });
      },
      complaint: /read: an older version comes after a newer one/,
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
    'a watermark that moves before the publish': {
      plant: () => {
        vi.spyOn(Vault.prototype, 'update').mockImplementation(function (this: Vault, change) {
          return update.call(this, now => {
            const next = change(now);
            if (next.builds.length <= now.builds.length) return next;
            return { ...next, versions: next.versions.map(info => ({ ...info, dataAt: 2 ** 52 })) };
          });
        });
      },
      complaint: /version: a row is not as the source had it/,
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
  it.each(Object.entries(faults))('finds %s', async (_name, { plant, complaint }) => {
    plant();
    const { findings, cases } = await fuzz({
      seed: 1,
      runs: 3_000,
      withinMs: 120_000,
      first: true,
      shrinkMs: 0,
    });
    console.log(
      _name,
      cases,
      findings
        .flatMap(({ complaints }) => complaints)
        .join('\n')
        .slice(0, 300),
    );
    expect(findings.flatMap(({ complaints }) => complaints).join('\n')).toMatch(complaint);
  });
});
