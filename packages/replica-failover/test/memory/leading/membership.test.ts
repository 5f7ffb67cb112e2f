import { memoryStore } from '@ashlar/store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type LeadingOptions,
  leading,
  type MemoryClient,
  type MemoryCluster,
  type MemoryClusterOptions,
  memoryCluster,
  NoStandbyError,
  ReplicaSet,
  type TermRecord,
} from '../../../src/index.ts';
import { poll } from '../poll.ts';

const quick = { intervalMs: 10, deadlineMs: 200 };

describe('members', () => {
  let cluster: MemoryCluster;
  let store: ReturnType<typeof memoryStore>;
  let sets: ReplicaSet<MemoryClient>[];

  beforeEach(() => {
    store = memoryStore();
    sets = [];
  });
  afterEach(async () => {
    for (const set of sets) await set.close();
    await store.close();
  });

  const connect = async (options: Partial<LeadingOptions> = {}, ids?: readonly string[]) => {
    const servers = cluster.servers().filter(({ id }) => ids?.includes(id) ?? true);
    const authority = leading({ store, silentMs: 50, refusedMs: 10, alone: true, ...options });
    const set = await ReplicaSet.connect({ servers, authority, heartbeat: quick });
    sets.push(set);
    return set;
  };
  const start = (options: MemoryClusterOptions = {}) => {
    cluster = memoryCluster(options);
  };
  const record = async (): Promise<TermRecord> =>
    JSON.parse(new TextDecoder().decode((await store.get('failover:replica-set:term'))!.value));
  const server = (set: ReplicaSet<MemoryClient>, id: string) =>
    set.snapshot().servers.find(each => each.id === id);

  it('a dead standby that is removed is no longer needed to promote', async () => {
    start();
    const set = await connect({ recruitMs: 200 });
    await set.write(db => db.set('a', '1'));
    cluster.kill('c');
    await poll(() => server(set, 'c')?.state).toBe('down');
    expect(await set.changeMembers({ remove: ['c'] })).toEqual({
      term: 2,
      members: ['a', 'b'],
      synchronous: 1,
    });
    cluster.kill('a');
    await poll(async () => (await record()).primary).toBe('b');
    expect(await set.read(db => db.get('a'))).toBe('1');
  });

  it('removing the last that must acknowledge is refused, and changes nothing', async () => {
    start();
    const set = await connect();
    const none = set.changeMembers({ remove: ['b', 'c'] });
    await expect(none).rejects.toThrow(/0 standbys would be left, and 1 must acknowledge/);
    await expect(set.changeMembers({ synchronous: 3 })).rejects.toThrow(/2 standbys would be left, and 3/);
    await expect(set.changeMembers({ remove: ['a'] })).rejects.toThrow(/a is the primary/);
    await expect(set.changeMembers({ remove: ['x'] })).rejects.toThrow(/x is no member/);
    await expect(set.changeMembers({ add: ['x'] })).rejects.toThrow(/this set has no server x/);
    expect(await record()).toMatchObject({ term: 1, members: ['a', 'b', 'c'] });
    await set.write(db => db.set('a', '1'));
  });

  it('a standby is added, and counts from then on; who is no member is told', async () => {
    start();
    await connect({}, ['a', 'b']);
    const set = await connect();
    await poll(() => set.snapshot().leading?.warnings).toEqual([
      'c of this set is no member, and acknowledges nothing: see `changeMembers`',
    ]);
    // It copies, and its acknowledgment does not count
    cluster.kill('b');
    await expect(set.write(db => db.set('a', '1'), { timeoutMs: 1_500 })).rejects.toThrow();
    cluster.start('b');
    await poll(() => server(set, 'b')?.state).toBe('up');
    expect((await set.changeMembers({ add: ['c'] })).members).toEqual(['a', 'b', 'c']);
    await poll(() => set.snapshot().leading?.warnings).toEqual([]);
    cluster.kill('b');
    await set.write(db => db.set('a', '2'));
    // The same again changes nothing
    expect((await set.changeMembers({ add: ['c'] })).members).toEqual(['a', 'b', 'c']);
  });

  it('a server that is no member is neither fenced nor told to follow', async () => {
    start({ ids: ['a', 'b', 'c', 'd'] });
    await connect({}, ['a', 'b', 'c']);
    const set = await connect();
    cluster.kill('d');
    await set.changeMembers({ remove: ['c'] });
    cluster.kill('c');
    cluster.kill('a');
    await set.write(db => db.set('a', '1'), { timeoutMs: 300 }).catch(() => {});
    await poll(async () => (await record()).primary).toBe('b');
    expect(set.snapshot().leading?.members).toEqual(['a', 'b']);
  });

  it('without standbys a write waits, was not executed, and goes on when fewer need to acknowledge', async () => {
    start();
    const set = await connect();
    await set.write(db => db.set('a', '1'));
    cluster.kill('b');
    cluster.kill('c');
    // Until it is known, what is written is executed and not acknowledged
    await set.write(db => db.set('b', '1'), { timeoutMs: 1_500 }).catch(() => {});
    let runs = 0;
    const work = async (db: MemoryClient) => {
      runs++;
      await db.set('c', '1');
    };
    await expect(set.write(work, { timeoutMs: 200 })).rejects.toThrow(NoStandbyError);
    await expect(set.write(work, { timeoutMs: 200 })).rejects.toMatchObject({ outcome: 'NotExecuted' });
    expect(runs).toBe(0);
    const waiting = set.write(work);
    expect((await set.changeMembers({ synchronous: 0 })).synchronous).toBe(0);
    await waiting;
    expect(set.snapshot().leading?.loss).toBe('no standby has to acknowledge a write');
    // Nobody is promoted then, as nobody may have what was acknowledged
    for (const id of ['b', 'c']) cluster.start(id);
    await poll(() => server(set, 'c')?.state).toBe('up');
    await set.changeMembers({ synchronous: 1 });
    expect(await record()).toMatchObject({ loss: 'up to term 2 no standby had to acknowledge a write' });
    await set.switchover();
    expect(await record()).not.toHaveProperty('loss');
    expect(await set.read(db => db.keys())).toContain('c');
  });

  it('degraded, nobody is promoted (hapostgres/pg_auto_failover 535)', async () => {
    start();
    const set = await connect({ recruitMs: 200 });
    await set.changeMembers({ synchronous: 0 });
    cluster.kill('a');
    await expect(set.write(db => db.set('a', '1'), { timeoutMs: 1_500 })).rejects.toThrow(
      /2 of the 3 standbys that are needed/,
    );
    cluster.start('a');
    await set.write(db => db.set('a', '1'));
  });

  it('of those that have all, the server of the first region becomes primary; it fails back on purpose', async () => {
    start({ regions: { a: 'here', b: 'far', c: 'near' } });
    const hooks = { rewind: async ({ id }: { id: string }) => cluster.rejoin(id) };
    const set = await connect({ regions: ['here', 'near', 'far'], members: { a: hooks, c: hooks } });
    await set.write(db => db.set('a', '1'));
    cluster.kill('a');
    await set.write(db => db.set('b', '1'));
    expect(set.snapshot().primary).toBe('c');
    cluster.start('a');
    await poll(() => server(set, 'a'), { timeout: 10_000 }).toMatchObject({ state: 'up', role: 'replica' });
    expect(set.snapshot().primary).toBe('c');
    expect(await set.switchover()).toMatchObject({ from: 'c', to: 'a' });
  });
});
