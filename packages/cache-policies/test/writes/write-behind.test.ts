import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Lease, memoryStore, type Store } from '@ashlar/store';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type Cache,
  type PendingWrite,
  UnwrittenError,
  type WriteBehindOptions,
  type WriteFailedMessage,
  writeBehind,
} from '../../src/index.ts';
import { deferred, manualCache, settle } from '../support/caches.ts';

type Batch = readonly PendingWrite<string, string>[];
type Options = Partial<WriteBehindOptions<string, string>>;

/** A table, the batches that it was given, and what it does with the next. */
function table() {
  const rows = new Map<string, string>();
  const batches: Batch[] = [];
  const state: { refuse: (batch: Batch) => boolean; hold: Promise<void> | undefined } = {
    refuse: () => false,
    hold: undefined,
  };
  const write = async (batch: Batch) => {
    batches.push(batch);
    await state.hold;
    if (state.refuse(batch)) throw new Error('refused');
    for (const { key, value } of batch) {
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
  };
  const said = () => batches.map(batch => batch.map(({ key, value }) => `${key}=${value}`).join(' '));
  return { rows, state, write, said };
}

function behind(options: Options = {}, source = table()) {
  const write = writeBehind<string, string>({ write: source.write, ...options });
  const load = async (key: string) => source.rows.get(key);
  return { ...manualCache({ name: 'c', write, load, random: () => 1 }), ...source };
}

function pendingOf(cache: Cache<string, string>): unknown {
  return (cache.snapshot().write as { pending: number }).pending;
}

describe('writeBehind', () => {
  it('resolves at once and writes later, together, the last value of each key', async () => {
    const { cache, clock, rows, said } = behind({ maxDelayMs: 100 });
    for (const value of ['1', '2', '3']) await cache.set('a', value);
    await cache.set('b', '1');
    await cache.delete('c');
    expect(await cache.get('a')).toBe('3');
    await clock.advance(99);
    expect(said()).toEqual([]);
    await clock.advance(1);
    expect(said()).toEqual(['a=3 b=1 c=undefined']);
    expect([...rows]).toEqual([
      ['a', '3'],
      ['b', '1'],
    ]);
    expect(cache.snapshot().write).toMatchObject({ pending: 0, written: 3, coalesced: 2 });
  });

  it('reads see what is pending, also when the local tier has lost it', async () => {
    const { cache, rows } = behind();
    rows.set('a', 'old').set('b', 'old');
    await cache.set('a', 'new');
    await cache.delete('b');
    await cache.clear();
    expect([cache.peek('a'), cache.peek('b')]).toEqual(['new', undefined]);
    expect(await cache.get('a')).toBe('new');
    expect(await cache.get('b')).toBeUndefined();
    expect([...(await cache.getMany(['a', 'b']))]).toEqual([['a', 'new']]);
    expect(cache.snapshot()).toMatchObject({ loads: 0, pendingHits: 4 });
  });

  it('a load of its own waits until a pending delete is done', async () => {
    const { cache, rows, said } = behind();
    rows.set('a', 'old');
    await cache.delete('a');
    expect(await cache.get('a', async key => rows.get(key) ?? 'none')).toBe('none');
    expect(said()).toEqual(['a=undefined']);
  });

  it('writes at once when a batch is full', async () => {
    const { cache, said } = behind({ maxBatch: 2 });
    await Promise.all(['a', 'b', 'c'].map(key => cache.set(key, '1')));
    await settle();
    expect(said()).toEqual(['a=1 b=1']);
    await cache.flush();
    expect(said()).toEqual(['a=1 b=1', 'c=1']);
  });

  it('keeps the order of a key: a write that comes during its batch goes in a later one', async () => {
    const source = table();
    const hold = deferred<void>();
    const { cache, clock, rows, said } = behind({ maxDelayMs: 0 }, source);
    source.state.hold = hold.promise;
    await cache.set('a', '1');
    await clock.advance(0);
    await cache.set('a', '2');
    await clock.advance(1_000);
    expect(said()).toEqual(['a=1']);
    expect(pendingOf(cache)).toBe(2);
    hold.resolve();
    await clock.advance(0);
    expect(said()).toEqual(['a=1', 'a=2']);
    expect(rows.get('a')).toBe('2');
  });

  it('numbers the writes of a key', async () => {
    const numbers: number[] = [];
    const { cache } = behind({ write: async batch => void numbers.push(...batch.map(w => w.sequence)) });
    for (let i = 0; i < 5; i++) {
      await cache.set('a', `${i}`);
      await cache.flush();
    }
    expect(numbers).toEqual([...numbers].sort((x, y) => x - y));
    expect(new Set(numbers).size).toBe(5);
  });

  it('tries again, later and later, until the source takes it; a newer value takes the place of the older', async () => {
    const source = table();
    const failed: WriteFailedMessage[] = [];
    const listener = (message: unknown) => failed.push(message as WriteFailedMessage);
    subscribe('ashlar:cache-policies:write-failed', listener);
    onTestFinished(() => void unsubscribe('ashlar:cache-policies:write-failed', listener));
    const { cache, clock, rows, said } = behind({ maxDelayMs: 0, backoffMs: 100, maxBackoffMs: 300 }, source);
    source.state.refuse = () => true;
    await cache.set('a', '1');
    await clock.advance(100);
    expect(said()).toEqual(['a=1', 'a=1']);
    await clock.advance(199);
    expect(said().length).toBe(2);
    await clock.advance(1);
    expect(said().length).toBe(3);
    await cache.set('a', '2');
    expect(await cache.get('a')).toBe('2');
    expect(cache.snapshot().write).toMatchObject({ pending: 1, failures: 3, lastError: 'Error: refused' });
    expect(failed.map(({ keys, kept }) => [keys, kept])).toEqual(Array(3).fill([['a'], true]));
    source.state.refuse = () => false;
    await clock.advance(300);
    expect(said().at(-1)).toBe('a=2');
    expect(rows.get('a')).toBe('2');
    expect(pendingOf(cache)).toBe(0);
  });

  it('a write that the source never takes does not hold up the others', async () => {
    const source = table();
    const { cache, clock, rows } = behind({ maxDelayMs: 0, backoffMs: 10, maxBackoffMs: 100 }, source);
    source.state.refuse = batch => batch.some(({ key }) => key === 'bad');
    await Promise.all(['a', 'b', 'bad', 'c', 'd', 'e', 'f', 'g'].map(key => cache.set(key, '1')));
    await clock.advance(2_000);
    expect([...rows.keys()].sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(pendingOf(cache)).toBe(1);
    for (let i = 0; i < 20; i++) await cache.set(`more-${i}`, '1');
    await clock.advance(2_000);
    expect(rows.size).toBe(27);
    source.state.refuse = () => false;
    await clock.advance(200);
    expect(rows.get('bad')).toBe('1');
  });

  it('waits for a place when as many are pending as may be', async () => {
    const source = table();
    const { cache, clock, rows } = behind({ maxPending: 2, backoffMs: 10 }, source);
    source.state.refuse = () => true;
    await Promise.all([cache.set('a', '1'), cache.set('b', '1')]);
    await cache.set('a', '2'); // needs no place of its own
    const third = vi.fn();
    const waiting = cache.set('c', '1').then(third);
    const controller = new AbortController();
    const gone = cache.set('d', '1', { signal: controller.signal });
    gone.catch(() => {});
    await clock.advance(50);
    expect(third).not.toHaveBeenCalled();
    controller.abort(new Error('gone'));
    await expect(gone).rejects.toThrow('gone');
    source.state.refuse = () => false;
    await clock.advance(1_000);
    await waiting;
    await cache.flush();
    expect([...rows].map(String).sort()).toEqual(['a,2', 'b,1', 'c,1']);
  });

  it('or refuses, where the option says so', async () => {
    const { cache } = behind({ maxPending: 1, whenFull: 'reject' });
    await cache.set('a', '1');
    await expect(cache.set('b', '1')).rejects.toMatchObject({
      code: 'ASHLAR_CACHE_POLICIES_BACKLOG_FULL',
      message: 'c has 1 writes pending, its limit',
      outcome: 'NotExecuted',
    });
    expect(cache.peek('b')).toBeUndefined();
    await cache.flush();
    await cache.set('b', '1');
  });

  it('the bound holds whatever happens', async () => {
    const source = table();
    const { cache, clock, rows } = behind(
      { maxPending: 5, maxBatch: 2, maxDelayMs: 5, backoffMs: 5 },
      source,
    );
    let calls = 0;
    source.state.refuse = () => ++calls % 3 === 0;
    const sets = Array.from({ length: 200 }, (_, i) => cache.set(`key-${(i * 7) % 23}`, `${i}`));
    for (let i = 0; i < 400; i++) {
      await clock.advance(5);
      expect(pendingOf(cache)).toBeLessThanOrEqual(6); // a key that is being written and waits takes two
    }
    await Promise.all(sets);
    expect(pendingOf(cache)).toBe(0);
    for (let key = 0; key < 23; key++) {
      const last = Array.from({ length: 200 }, (_, i) => i).findLast(i => (i * 7) % 23 === key);
      expect(rows.get(`key-${key}`)).toBe(`${last}`);
    }
  });

  it('close writes what is pending, without waiting for company or a pause', async () => {
    const source = table();
    const { cache, rows } = behind({ maxDelayMs: 60_000, backoffMs: 60_000, maxBackoffMs: 60_000 }, source);
    let calls = 0;
    source.state.refuse = () => ++calls === 1;
    await cache.set('a', '1');
    void cache.flush();
    await settle();
    expect(calls).toBe(1);
    await cache.close();
    expect([...rows]).toEqual([['a', '1']]);
  });

  it('close says what the source did not take in time', async () => {
    const source = table();
    const { cache, clock } = behind({ closeTimeoutMs: 500, backoffMs: 10 }, source);
    source.state.refuse = () => true;
    await cache.set('a', '1');
    await cache.delete('b');
    const closing = cache.close();
    closing.catch(() => {});
    await clock.advance(500);
    const error = await closing.catch((reason: unknown) => reason as UnwrittenError);
    expect(error).toBeInstanceOf(UnwrittenError);
    expect(error).toMatchObject({
      unwritten: expect.arrayContaining([
        { key: 'a', value: '1' },
        { key: 'b', value: undefined },
      ]),
      journaled: false,
      cause: { message: 'refused' },
    });
    expect(cache.snapshot().write).toMatchObject({ pending: 2 });
    await expect(cache.close()).rejects.toBe(error);
    expect(clock.sleeping).toBe(0);
  });

  it('close aborts a write that does not end', async () => {
    let signal: AbortSignal | undefined;
    const { cache, clock } = behind({
      closeTimeoutMs: 100,
      maxDelayMs: 0,
      write: (_, context) => {
        signal = context.signal;
        return new Promise(() => {});
      },
    });
    await cache.set('a', '1');
    await clock.advance(0);
    const closing = cache.close();
    closing.catch(() => {});
    await clock.advance(100);
    await expect(closing).rejects.toThrow('c was closed with 1 writes that the source has not taken');
    expect(signal?.aborted).toBe(true);
  });
});

/** The records of the journal, by key, whoever had it. */
async function namesIn(store: Store): Promise<string[]> {
  const names: string[] = [];
  for await (const { key } of store.list('')) {
    if (key !== '"journal:"sealed') names.push(key.replace(/^"journal:"\d+:/, ''));
  }
  return names;
}

describe('the journal', () => {
  function journaled(store: Store, source = table(), options: Options = {}) {
    return behind({ journal: { store, prefix: 'journal:' }, closeTimeoutMs: 10, ...options }, source);
  }

  /** Leaves writes pending, as a process that dies does. */
  async function abandoned(store: Store, act: (cache: Cache<string, string>) => Promise<void>) {
    const source = table();
    source.state.refuse = () => true;
    const { cache, clock } = journaled(store, source);
    await act(cache);
    const closing = cache.close();
    closing.catch(() => {});
    await clock.advance(10);
    await expect(closing).rejects.toMatchObject({ journaled: true });
  }

  it('holds what is pending and nothing else', async () => {
    const store = memoryStore();
    const { cache } = journaled(store);
    await cache.set('a', '1');
    await cache.set('b', '1');
    expect(await namesIn(store)).toEqual(['a', 'b']);
    await cache.flush();
    expect(await namesIn(store)).toEqual([]);
    expect(cache.snapshot().write).toMatchObject({ journal: 'process' });
  });

  it('is replayed at the next start: the last write of each key, deletes too', async () => {
    const store = memoryStore();
    await abandoned(store, async cache => {
      await cache.set('a', '1');
      await cache.set('a', '2');
      await cache.set('b', '1');
      await cache.delete('b');
    });
    const source = table();
    source.rows.set('a', 'old').set('b', 'old');
    const { cache, rows } = journaled(store, source);
    expect(await Promise.all([cache.get('a'), cache.get('b')])).toEqual(['2', undefined]);
    await cache.flush();
    expect([...rows]).toEqual([['a', '2']]);
    expect(await namesIn(store)).toEqual([]);
  });

  it('a write after the start wins over what is replayed, and has a higher number', async () => {
    const store = memoryStore();
    await abandoned(store, cache => cache.set('a', 'before'));
    const batches: Batch[] = [];
    const { cache } = journaled(store, table(), { write: async batch => void batches.push(batch) });
    await Promise.all([cache.set('a', 'after'), cache.flush()]);
    await cache.flush();
    const writes = batches.flat();
    expect(writes.at(-1)).toMatchObject({ key: 'a', value: 'after' });
    expect(writes.map(({ sequence }) => sequence)).toEqual(writes.map(({ sequence }) => sequence).sort());
    expect(await namesIn(store)).toEqual([]);
  });

  it('a write that it cannot take is refused, and takes no place', async () => {
    const store = memoryStore();
    const set = vi.spyOn(store, 'set').mockRejectedValue(new Error('full'));
    const { cache } = journaled(store, table(), { maxPending: 1 });
    for (let i = 0; i < 3; i++) {
      await expect(cache.set(`key-${i}`, '1')).rejects.toMatchObject({
        code: 'ASHLAR_CACHE_POLICIES_JOURNAL',
      });
    }
    expect(pendingOf(cache)).toBe(0);
    set.mockRestore();
    await cache.set('a', '1');
  });

  it('one that cannot be read makes reads and writes wait or fail, and is tried again', async () => {
    const store = memoryStore();
    await abandoned(store, cache => cache.set('a', 'new'));
    const list = vi.spyOn(store, 'list').mockImplementation(async function* () {
      yield* [];
      throw new Error('no connection');
    });
    const source = table();
    source.rows.set('a', 'old');
    const { cache } = journaled(store, source);
    await expect(cache.get('a')).rejects.toThrow('c could not read its journal: no connection');
    await expect(cache.set('a', 'x')).rejects.toMatchObject({ code: 'ASHLAR_CACHE_POLICIES_JOURNAL' });
    list.mockRestore();
    expect(await cache.get('a')).toBe('new');
  });

  it("is one process's at a time: another waits for it, for `waitMs`, and then has its writes", async () => {
    const store = memoryStore();
    const first = journaled(store);
    await first.cache.set('a', '1');
    const refused = journaled(store, table(), { journal: { store, prefix: 'journal:', waitMs: 0 } });
    for (const act of [refused.cache.set('b', '2'), refused.cache.get('a')]) {
      await expect(act).rejects.toMatchObject({
        code: 'ASHLAR_CACHE_POLICIES_JOURNAL_TAKEN',
        outcome: 'NotExecuted',
        message: 'c could not open its journal: another process has "journal:", also after 0 ms',
      });
    }
    const late = journaled(store, table(), {
      ...{ maxDelayMs: 60_000, journal: { store, prefix: 'journal:', waitMs: 5_000 } },
    });
    const setting = late.cache.set('b', '2');
    await late.clock.advance(4_999);
    setting.catch(() => {});
    await late.clock.advance(1);
    await expect(setting).rejects.toMatchObject({ code: 'ASHLAR_CACHE_POLICIES_JOURNAL_TAKEN' });
    const again = late.cache.set('b', '2');
    await first.cache.close();
    await late.clock.advance(2_000);
    await again;
    expect(await namesIn(store)).toEqual(['b']);
    await refused.cache.close();
  });

  it('that was lost is written no more; the next process has its writes, and late ones from before count for nothing', async () => {
    const store = memoryStore();
    const first = journaled(store, table(), { maxDelayMs: 60_000 });
    await first.cache.set('a', '1');
    const [name] = await allOf(store);
    const record = (await store.get(name!))!.value;
    // its time is over while it stands still
    await store.release('journal:', tokenOf(name!));
    const second = journaled(store);
    expect(await second.cache.get('a')).toBe('1');
    await second.cache.set('a', '2');
    await second.cache.flush();
    expect([...second.rows]).toEqual([['a', '2']]);
    await store.set(name!, record); // was under way for long
    await first.clock.advance(5_000);
    expect([...first.rows]).toEqual([]);
    expect(pendingOf(first.cache)).toBe(0);
    await second.cache.close();
    const third = journaled(store);
    expect(await third.cache.get('a')).toBeUndefined();
    expect(await namesIn(store)).toEqual([]);
  });

  it('that was lost and is free is taken again, with what was pending', async () => {
    const store = memoryStore();
    const { cache, clock, rows } = journaled(store, table(), { maxDelayMs: 1e9 });
    await cache.set('a', '1');
    await store.release('journal:', tokenOf((await allOf(store))[0]!));
    const other = await Lease.acquire(store, 'journal:', { ttlMs: 10_000 });
    await clock.advance(4_000);
    await other.release();
    const setting = cache.set('b', '2');
    await clock.advance(4_000);
    await setting;
    expect(await cache.get('a')).toBe('1');
    await cache.flush();
    expect([...rows].sort()).toEqual([
      ['a', '1'],
      ['b', '2'],
    ]);
  });

  it('has no key in common with another journal, whatever their prefixes', async () => {
    const store = memoryStore();
    const journals = ['orders:', 'orders:7:', 'orders:7:3:', '"orders:"', 'orders:"7:', 'orders'];
    const open = (prefix: string, refuses: boolean) => {
      const source = table();
      source.state.refuse = () => refuses;
      return behind({ journal: { store, prefix }, closeTimeoutMs: 10 }, source);
    };
    const keys = ['a', '3:a', '7:3:a', 'sealed'];
    for (let round = 0; round < 8; round++) {
      // tokens grow, so that those of one journal look like the prefix of another
      for (const prefix of journals) {
        const { cache, clock } = open(prefix, true);
        for (const key of keys) await cache.set(key, `${prefix} ${round}`);
        const closing = cache.close();
        closing.catch(() => {});
        await clock.advance(10);
        await expect(closing).rejects.toMatchObject({ journaled: true });
      }
    }
    for (const prefix of journals) {
      const { cache, rows } = open(prefix, false);
      await cache.get('a');
      await cache.flush();
      expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(keys.map(key => [key, `${prefix} 7`])));
      await cache.close();
    }
  });

  it('leaves the keys of the application alone, also those under its prefix', async () => {
    const store = memoryStore();
    const names = [
      'journal:something',
      'journal:sealed',
      'journal:1:a',
      '"journal:"something',
      '"journal:"1',
    ];
    const bytes = Uint8Array.of(1, 2, 3);
    for (const name of names) await store.set(name, bytes);
    const { cache, rows } = journaled(store);
    await cache.set('a', '1');
    expect(await cache.get('a')).toBe('1');
    await cache.flush();
    expect([...rows]).toEqual([['a', '1']]);
    for (const name of names) expect((await store.get(name))?.value, name).toEqual(bytes);
  });
});

function tokenOf(name: string): bigint {
  return BigInt(/^"journal:"(\d+):/.exec(name)![1]!);
}

async function allOf(store: Store): Promise<string[]> {
  const names: string[] = [];
  for await (const { key } of store.list('"journal:"')) names.push(key);
  return names;
}
