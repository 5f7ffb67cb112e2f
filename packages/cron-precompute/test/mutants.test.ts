import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LoadFailedMessage, SourceContext } from '../src/index.ts';
import type { Pointer } from '../src/publish/pointer.ts';
import { Vault } from '../src/publish/vault.ts';
import { Ledger } from '../src/runs/ledger.ts';
import { preparedOf, uniform } from './support/prepared.ts';
import { gate, minuteMs, outage, site } from './support/site.ts';

afterEach(() => vi.restoreAllMocks());

/** What is wrong with a few minutes of two processes, one of which stands still in its first run while the other takes it over. */
async function standstill(): Promise<string[]> {
  const place = site();
  const stuck = gate();
  let isFirst = true;
  const first = preparedOf(
    place,
    async function* (context: SourceContext) {
      yield ['key', 1] as const;
      if (!isFirst) return;
      isFirst = false;
      await stuck.opened;
      // As after a stall: neither its signal nor its lease knows yet
      context.signal.throwIfAborted = () => {};
    },
    { graceMs: 600_000 },
  );
  await first.best.start();
  await place.clock.advance(minuteMs);
  first.machine.before = method => {
    if (method === 'claim') throw outage();
  };
  const second = preparedOf(place, () => [['key', 2]]);
  await second.best.start();
  await place.clock.advance(30_000);
  const { version } = second.best.get('key');
  const before = await new Vault(place.store, 'best').pointer();
  stuck.open();
  // It goes straight to the store with what it has, past every check of its own process
  const vault = new Vault(place.store, 'best');
  const { Publisher } = await import('../src/publish/publisher.ts');
  const publisher = new Publisher({ vault, clock: place.clock, keep: 3, graceMs: 1 });
  const manifest = await vault.manifest(version);
  const zombie = { ...first.contexts[0]!, assertCurrent() {}, signal: new AbortController().signal };
  const late = { ...zombie, scheduledAt: new Date(Number(zombie.scheduledAt) + 1) };
  await publisher.publish(late, { ...manifest, version: 99 }).catch(() => {});
  const after = await vault.pointer();
  return after.current === before.current ? [] : ['an attempt that was followed by another has published'];
}

/** What is wrong with ticks of three processes. */
async function fleet(): Promise<string[]> {
  const place = site();
  const all = [1, 2, 3].map(() =>
    preparedOf(
      place,
      uniform(2, () => 1),
    ),
  );
  await Promise.all(all.map(({ best }) => best.start()));
  await place.clock.advance(3 * minuteMs);
  const ticks = all.flatMap(({ contexts }) => contexts.map(({ scheduledAt }) => Number(scheduledAt)));
  return new Set(ticks).size === ticks.length ? [] : ['a tick was launched by two processes'];
}

/** What is wrong with what a slow reader sees of five versions. */
async function readers(): Promise<string[]> {
  const place = site();
  let value = 0;
  const writer = preparedOf(
    place,
    uniform(50, () => ++value),
  );
  const reader = preparedOf(
    place,
    uniform(50, () => ++value),
    { launches: false },
  );
  await writer.best.start();
  await place.clock.advance(minuteMs);
  const over = new AbortController();
  // Between its manifest and its chunks, the next versions are published
  reader.machine.after = async (_method, key) => {
    if (key.endsWith('manifest')) await place.clock.sleep(90_000, over.signal).catch(() => {});
  };
  const failures: string[] = [];
  const listen = (message: unknown) => failures.push((message as LoadFailedMessage).name);
  subscribe('ashlar:cron-precompute:load-failed', listen);
  try {
    const started = reader.best.start();
    await place.clock.advance(4 * minuteMs);
    over.abort();
    await started;
  } finally {
    unsubscribe('ashlar:cron-precompute:load-failed', listen);
  }
  return failures.map(name => `a version of ${name} was not what it was when it was published`);
}

/** What is wrong with an incremental run after one that failed. */
async function incremental(): Promise<string[]> {
  const place = site();
  const rows = new Map([['old', place.clock.wallMs()]]);
  let fails = false;
  const { best } = preparedOf<number>(
    place,
    function* (context: SourceContext) {
      for (const [key, at] of rows) if (at >= (context.since?.getTime() ?? 0)) yield [key, 1] as const;
      if (fails) throw new Error('no database');
    },
    { incremental: { lookBackMs: 0 } },
  );
  await best.start();
  await place.clock.advance(minuteMs + 1_000);
  rows.set('new', place.clock.wallMs());
  fails = true;
  await place.clock.advance(minuteMs);
  fails = false;
  await place.clock.advance(minuteMs);
  return best.get('new').value === 1 ? [] : ['a row that a failed run had read never came'];
}

const { update, setChunk, chunk } = Vault.prototype;
const { setState } = Ledger.prototype;

const mutants: Record<string, { readonly check: () => Promise<string[]>; mutate(): void }> = {
  'publishing without a fence': {
    check: standstill,
    mutate() {
      const unfenced = { token: '0', holder: '' };
      vi.spyOn(Vault.prototype, 'update').mockImplementation(function (this: Vault, change) {
        return update.call(this, pointer => change({ ...pointer, fence: unfenced }));
      });
    },
  },
  'overwriting in place': {
    check: readers,
    mutate() {
      const placeOf = (id: string) => id.replace(/^.*-/, '');
      vi.spyOn(Vault.prototype, 'setChunk').mockImplementation(function (this: Vault, _version, id, bytes) {
        return setChunk.call(this, 0, placeOf(id), bytes);
      });
      vi.spyOn(Vault.prototype, 'chunk').mockImplementation(function (this: Vault, _version, part) {
        return chunk.call(this, 0, { ...part, id: placeOf(part.id) });
      });
    },
  },
  'deleting the version before at once': {
    check: readers,
    mutate() {
      vi.spyOn(Vault.prototype, 'update').mockImplementation(async function (this: Vault, change) {
        const before = await this.pointer();
        const after = await update.call(this, change);
        if (after.current !== before.current) await this.deleteVersion(before.current);
        return after;
      });
    },
  },
  'claiming a tick after its work': {
    check: fleet,
    mutate() {
      let launched = 0;
      vi.spyOn(Ledger.prototype, 'setState').mockImplementation(async function (
        this: Ledger,
        state,
        version,
      ) {
        // A tick that is launched for ever would let no time pass
        const isClaim = state.running.length > 0 && ++launched <= 20;
        return isClaim || setState.call(this, state, version);
      });
      // Nothing is in the way of the next process either
      vi.spyOn(Ledger.prototype, 'leaseName').mockImplementation(() => `${Math.random()}`);
    },
  },
  'moving the watermark before the publish': {
    check: incremental,
    mutate() {
      vi.spyOn(Vault.prototype, 'update').mockImplementation(function (this: Vault, change) {
        return update.call(this, pointer => {
          const next: Pointer = change(pointer);
          const newest = next.builds.length > pointer.builds.length ? Infinity : 0;
          const moved = (dataAt: number) => (newest === 0 ? dataAt : Number.MAX_SAFE_INTEGER / 2);
          return next === pointer
            ? next
            : { ...next, versions: next.versions.map(info => ({ ...info, dataAt: moved(info.dataAt) })) };
        });
      });
    },
  },
};

describe.each(Object.entries(mutants))('%s', (_name, { check, mutate }) => {
  it('does not happen', async () => {
    expect(await check()).toEqual([]);
  });

  it('would be caught', async () => {
    mutate();
    const found = await check();
    expect(found).not.toEqual([]);
  });
});
