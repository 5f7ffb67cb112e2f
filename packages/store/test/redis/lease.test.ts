import { eventually, startRedis, startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { fencedSet, redisStore } from '../../src/adapters/redis.ts';
import { Mirror } from '../../src/conformance/tools.ts';
import { Lease, LeaseLostError, type ManagedStore, StaleTokenError } from '../../src/index.ts';
import { bytes } from '../support/bytes.ts';
import { ending } from '../support/stores.ts';

const soon = { withinMs: 20_000 };

function storeAt(port: number, timeoutMs = 1_000): ManagedStore {
  return ending(redisStore({ redis: new Redis({ port, lazyConnect: true }), timeoutMs }));
}

describeWith('redis', 'a lease over Redis', () => {
  it('is over for its holder before another has it, when its renewals go nowhere', async () => {
    const server = ending(await startRedis({ own: true }));
    const proxy = ending(await startTcpProxy({ target: server.port }));
    const [cutOff, direct] = [storeAt(proxy.port, 200), storeAt(server.port)];
    const sink = new Redis(server.port);
    await eventually(() => cutOff.get('anything'), soon);
    const acquired = eventually(() => Lease.acquire(cutOff, 'name', { ttlMs: 600 }), soon);
    const lease = ending(await acquired);
    await fencedSet(sink, 'sink', 'first', lease);
    proxy.stall();
    const next = ending(await Lease.acquire(direct, 'name', { ttlMs: 60_000, retryMs: 20 }));
    expect(() => lease.assertHeld()).toThrow(LeaseLostError);
    expect(next.token).toBeGreaterThan(lease.token);
    await fencedSet(sink, 'sink', 'second', next);
    await expect(fencedSet(sink, 'sink', 'late', lease)).rejects.toThrow(StaleTokenError);
    expect(await sink.hget('sink', 'value')).toBe('second');
    sink.disconnect();
    proxy.resume();
    await eventually(async () => expect(await cutOff.claim('name', 'another', 1_000)).toBeUndefined(), soon);
    next.assertHeld();
  });

  it('lives through a short outage', async () => {
    const server = ending(await startRedis({ own: true }));
    const proxy = ending(await startTcpProxy({ target: server.port }));
    const store = storeAt(proxy.port, 200);
    const lease = ending(await Lease.acquire(store, 'name', { ttlMs: 30_000 }));
    proxy.cut();
    await eventually(() => store.get('anything'), soon);
    await server.restart();
    lease.assertHeld();
    await lease.release();
    expect(await Lease.tryAcquire(storeAt(server.port), 'name', { ttlMs: 1_000 })).toBeDefined();
  });
});

describeWith('redis', 'a watch over Redis', () => {
  it('says reset when its log has a gap, or another history', async () => {
    const server = ending(await startRedis({ own: true }));
    const admin = new Redis(server.port);
    const store = storeAt(server.port);
    await store.set('key', bytes('1'));
    await using mirror = new Mirror(store, '');
    await store.set('key', bytes('2'));
    await eventually(async () => expect(mirror.state.get('key')).toBe('2'), soon);
    expect(mirror.resets).toBe(0);
    await admin.hincrby('{ashlar}:meta', 'seq', 5);
    await store.set('key', bytes('3'));
    await eventually(async () => expect(mirror.resets).toBe(1), soon);
    // as a server that comes back without its last second
    await admin.multi().del('{ashlar}:log').hincrby('{ashlar}:meta', 'seq', -3).exec();
    await eventually(async () => expect(mirror.resets).toBe(2), soon);
    await admin.del('{ashlar}:meta');
    await eventually(async () => expect(mirror.resets).toBe(3), soon);
    await store.set('key', bytes('4'));
    await eventually(async () => expect(mirror.state.get('key')).toBe('4'), soon);
    expect(mirror.resets).toBe(3);
    admin.disconnect();
  });
});
