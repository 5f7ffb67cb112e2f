import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, it } from 'vitest';
import { type RedisReplication, startReplication } from '../../faults/redis/replication.ts';
import {
  NoPrimaryError,
  NoStandbyError,
  type ReplicaSet,
  Session,
  TermPassedError,
} from '../../src/index.ts';
import { ledServers } from '../led.ts';

const never = new AbortController().signal;

// Each moves the primary, so each has servers of its own
describe('leading over Redis', () => {
  const led = ledServers(startReplication);
  let replication: RedisReplication;
  beforeEach(() => {
    replication = led.servers;
  });
  const connect = ({ acknowledge = 1, timeoutMs = 15_000 } = {}) =>
    led.connect({ servers: replication.servers({ acknowledge }), timeoutMs });
  const primary = () => replication.members.get('primary')!;
  const seen = (set: ReplicaSet<Redis>, id: string) => set.snapshot().servers.find(each => each.id === id);

  it('promotes a replica when the primary is killed, which loses nothing; the other follows it', async () => {
    const set = await connect();
    const session = new Session();
    await set.write(db => db.set('a', '1'), { session });
    await primary().kill();
    await expect.poll(() => seen(set, 'primary')?.state).toBe('down');
    // Only a replica that follows the new primary has let it acknowledge
    await set.write(db => db.set('b', '2'), { session });
    expect(set.snapshot().term).toBe(2);
    expect(await set.read(db => db.mget('a', 'b'), { session })).toEqual(['1', '2']);
    await primary().restart();
    await expect.poll(() => seen(set, 'primary')).toMatchObject({ role: 'primary', isFenced: true });
    await expect(replication.tell('primary', 'SET', 'c', '3')).rejects.toThrow(/NOREPLICAS/);
    // What was changed outlives a restart
    await primary().kill();
    await primary().restart();
    await expect(replication.tell('primary', 'SET', 'c', '3')).rejects.toThrow(/NOREPLICAS/);
  });

  it('promotes for a primary that stands still, when two processes find it so, and nothing of it is acknowledged', async () => {
    const [one, other] = [await connect(), await connect()];
    await one.write(db => db.set('a', '1'));
    primary().pause();
    try {
      await expect.poll(() => seen(one, 'primary')?.state).toBe('down');
      await one.write(db => db.set('b', '2'));
      await expect.poll(() => other.snapshot().term).toBe(2);
    } finally {
      primary().resume();
    }
    await expect.poll(() => seen(one, 'primary')).toMatchObject({ role: 'primary', isFenced: true });
    expect(await other.read(db => db.get('b'))).toBe('2');
  });

  it('a replica that was started again follows whom it was told to', async () => {
    const set = await connect();
    await primary().kill();
    await expect.poll(() => seen(set, 'primary')?.state).toBe('down');
    await set.write(db => db.set('a', '1'));
    const other = set.snapshot().primary === 'replica0' ? 'replica1' : 'replica0';
    await replication.members.get(other)!.kill();
    await replication.members.get(other)!.restart();
    await expect.poll(() => seen(set, other)).toMatchObject({ role: 'replica', state: 'up' });
    await set.write(db => db.set('a', '2'));
  });

  it('without replicas a write waits, was not executed, and says so; it goes on when one is back', async () => {
    const set = await connect();
    await set.write(db => db.set('a', '1'));
    for (const id of ['replica0', 'replica1']) await replication.members.get(id)!.kill();
    const failed = (timeoutMs: number) =>
      set
        .write(db => db.incr('n'), { timeoutMs })
        .then(
          () => undefined,
          error => error,
        );
    await expect.poll(() => failed(300)).toBeInstanceOf(NoStandbyError);
    const before = await replication.tell('primary', 'GET', 'n');
    expect(await failed(300)).toMatchObject({ outcome: 'NotExecuted' });
    expect(await replication.tell('primary', 'GET', 'n')).toBe(before);
    expect(set.snapshot().leading?.warnings).toEqual([
      expect.stringMatching(/has fewer than the 1 standbys that must acknowledge a write/),
    ]);
    const waiting = set.write(db => db.set('b', '2'), { timeoutMs: 60_000 });
    await replication.members.get('replica1')!.restart();
    await waiting;
    await expect.poll(() => set.snapshot().leading?.warnings).toEqual([]);
  });

  it('refuses to lead where writes are not acknowledged, or a restart would empty the replicas', async () => {
    await expect(connect({ acknowledge: 0, timeoutMs: 1_000 })).rejects.toThrow(/`acknowledge` is 0/);
    await replication.tell('primary', 'CONFIG', 'SET', 'appendonly', 'no');
    const refused = connect({ timeoutMs: 1_000 });
    await expect(refused).rejects.toThrow(NoPrimaryError);
    await expect(refused).rejects.toThrow(/has no append-only file/);
  });

  it('whoever administers in an earlier term is ended by a later one, and refused for good', async () => {
    const [server] = replication.servers({ acknowledge: 1 });
    const two = await server!.administer!(2, never);
    expect(await two.isPrimary()).toBe(true);
    const three = await server!.administer!(3, never);
    await expect(two.fence()).rejects.toThrow();
    await expect(server!.administer!(2, never)).rejects.toThrow(TermPassedError);
    expect(await three.isPrimary()).toBe(true);
    await three[Symbol.asyncDispose]();
    await primary().kill();
    await primary().restart();
    await expect(server!.administer!(2, never)).rejects.toThrow(TermPassedError);
    expect(await replication.tell('primary', 'ACL', 'USERS')).toEqual(['ashlar.term.3', 'default']);
    await server![Symbol.asyncDispose]();
  });
});
