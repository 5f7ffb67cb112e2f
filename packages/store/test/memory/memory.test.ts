import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { storeConformance } from '../../src/conformance.ts';
import { Lease, memoryStore, VersionConflictError } from '../../src/index.ts';
import { bytes } from '../support/bytes.ts';

storeConformance(
  { describe, it },
  async () => {
    const clock = new ManualClock();
    const store = memoryStore({ clock });
    return { store, pass: ms => clock.advance(ms), [Symbol.asyncDispose]: () => store.close() };
  },
  { name: 'memoryStore' },
);

storeConformance(
  { describe, it },
  async () => {
    const owner = memoryStore();
    // A thousand contenders in one process may have to wait for longer than the usual second
    const connected = () => memoryStore({ port: owner.connect(), timeoutMs: 30_000 });
    return {
      store: connected(),
      other: async () => connected(),
      [Symbol.asyncDispose]: () => owner.close(),
    };
  },
  { name: 'memoryStore through a port', features: { others: true } },
);

describe('memoryStore', () => {
  it('has greater tokens than a store that was closed before', async () => {
    const tokens: bigint[] = [];
    for (let run = 0; run < 3; run++) {
      await using store = memoryStore();
      for (let i = 0; i < 3; i++) tokens.push((await store.claim(`name-${i}`, 'holder', 1_000))!.token);
    }
    expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)));
    expect(new Set(tokens).size).toBe(9);
  });

  it('has snapshots that JSON holds, and so have its leases', async () => {
    await using store = memoryStore({ name: 'mine' });
    await using lease = await Lease.acquire(store, 'name', { ttlMs: 60_000 });
    for (const take of [() => store.snapshot(), () => ({ ...lease.snapshot(), remainingMs: 0 })]) {
      expect(JSON.parse(JSON.stringify(take()))).toEqual(take());
    }
    expect(store.snapshot()).toEqual({
      name: 'mine',
      backend: 'memory',
      durability: 'process',
      state: 'connected',
      pending: 0,
      watches: 0,
    });
    await lease.release();
    await store.close();
    expect(store.snapshot().state).toBe('closed');
  });

  it('publishes each operation, with its error if it had one', async () => {
    await using store = memoryStore();
    const told: unknown[] = [];
    const note = (message: unknown) => void told.push(message);
    subscribe('ashlar:store:operation', note);
    try {
      await store.set('key', bytes('1'));
      await store.set('key', bytes('1'), { ifVersion: 'absent' }).catch(() => {});
    } finally {
      unsubscribe('ashlar:store:operation', note);
    }
    await store.get('key');
    const each = { store: 'memory', operation: 'set', durationMs: expect.any(Number) };
    expect(told).toEqual([each, { ...each, error: expect.any(VersionConflictError) }]);
  });
});
