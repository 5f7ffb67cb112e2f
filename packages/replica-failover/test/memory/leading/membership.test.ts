import { describe, expect, it } from 'vitest';
import { type MemoryClient, NoStandbyError } from '../../../src/index.ts';
import { leadingSite, serverOf } from './site.ts';

describe('members', () => {
  const site = leadingSite({ alone: true });
  const { connect, record } = site;

  it('a dead standby that is removed is no longer needed to promote', async () => {
    const set = await connect({ recruitMs: 200 });
    await set.write(db => db.set('a', '1'));
    site.cluster.kill('c');
    await expect.poll(() => serverOf(set, 'c')?.state).toBe('down');
    expect(await set.changeMembers({ remove: ['c'] })).toEqual({
      term: 2,
      members: ['a', 'b'],
      synchronous: 1,
    });
    site.cluster.kill('a');
    await expect.poll(async () => (await record()).primary).toBe('b');
    expect(await set.read(db => db.get('a'))).toBe('1');
  });

  it('removing the last that must acknowledge is refused, and changes nothing', async () => {
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
    await connect({}, { servers: site.cluster.servers().slice(0, 2) });
    const set = await connect();
    await expect
      .poll(() => set.snapshot().leading?.warnings)
      .toEqual(['c of this set is no member, and acknowledges nothing: see `changeMembers`']);
    // It copies, and its acknowledgment does not count
    site.cluster.kill('b');
    await expect(set.write(db => db.set('a', '1'), { timeoutMs: 1_500 })).rejects.toThrow();
    site.cluster.start('b');
    await expect.poll(() => serverOf(set, 'b')?.state).toBe('up');
    expect((await set.changeMembers({ add: ['c'] })).members).toEqual(['a', 'b', 'c']);
    await expect.poll(() => set.snapshot().leading?.warnings).toEqual([]);
    site.cluster.kill('b');
    await set.write(db => db.set('a', '2'));
    // The same again changes nothing
    expect((await set.changeMembers({ add: ['c'] })).members).toEqual(['a', 'b', 'c']);
  });

  it('a server that is no member is neither fenced nor told to follow', async () => {
    site.start({ ids: ['a', 'b', 'c', 'd'] });
    await connect({}, { servers: site.cluster.servers().slice(0, 3) });
    const set = await connect();
    site.cluster.kill('d');
    await set.changeMembers({ remove: ['c'] });
    site.cluster.kill('c');
    site.cluster.kill('a');
    await set.write(db => db.set('a', '1'), { timeoutMs: 300 }).catch(() => {});
    await expect.poll(async () => (await record()).primary).toBe('b');
    expect(set.snapshot().leading?.members).toEqual(['a', 'b']);
  });

  it('without standbys a write waits, was not executed, and goes on when fewer need to acknowledge', async () => {
    const set = await connect();
    await set.write(db => db.set('a', '1'));
    site.cluster.kill('b');
    site.cluster.kill('c');
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
    for (const id of ['b', 'c']) site.cluster.start(id);
    await expect.poll(() => serverOf(set, 'c')?.state).toBe('up');
    await set.changeMembers({ synchronous: 1 });
    expect(await record()).toMatchObject({ loss: 'up to term 2 no standby had to acknowledge a write' });
    await set.switchover();
    expect(await record()).not.toHaveProperty('loss');
    expect(await set.read(db => db.keys())).toContain('c');
  });

  it('degraded, nobody is promoted (hapostgres/pg_auto_failover 535)', async () => {
    const set = await connect({ recruitMs: 200 });
    await set.changeMembers({ synchronous: 0 });
    site.cluster.kill('a');
    await expect(set.write(db => db.set('a', '1'), { timeoutMs: 1_500 })).rejects.toThrow(
      /2 of the 3 standbys that are needed/,
    );
    site.cluster.start('a');
    await set.write(db => db.set('a', '1'));
  });

  it('of those that have all, the server of the first region becomes primary; it fails back on purpose', async () => {
    site.start({ regions: { a: 'here', b: 'far', c: 'near' } });
    const hooks = { rewind: async ({ id }: { id: string }) => site.cluster.rejoin(id) };
    const set = await connect({ regions: ['here', 'near', 'far'], members: { a: hooks, c: hooks } });
    await set.write(db => db.set('a', '1'));
    site.cluster.kill('a');
    await set.write(db => db.set('b', '1'));
    expect(set.snapshot().primary).toBe('c');
    site.cluster.start('a');
    await expect.poll(() => serverOf(set, 'a')).toMatchObject({ state: 'up', role: 'replica' });
    expect(set.snapshot().primary).toBe('c');
    expect(await set.switchover()).toMatchObject({ from: 'c', to: 'a' });
  });
});
