import { describe, expect, it } from 'vitest';
import { leading, NoPrimaryError, Session, TermPassedError } from '../../../src/index.ts';
import { leadingSite, serverOf } from './site.ts';

const aborted = new AbortController().signal;

describe('leading', () => {
  const site = leadingSite();
  const { connect, record } = site;

  it('begins with the primary that there is', async () => {
    const set = await connect();
    expect(await record()).toEqual({
      term: 1,
      primary: 'a',
      phase: 'serving',
      members: ['a', 'b', 'c'],
      synchronous: 1,
    });
    expect(set.snapshot()).toMatchObject({ term: 1, primary: 'a', authority: 'leading' });
  });

  it('promotes a standby when the primary is killed, which loses nothing', async () => {
    const set = await connect();
    const session = new Session();
    await set.write(db => db.set('a', '1'), { session });
    site.cluster.kill('a');
    await set.write(db => db.set('b', '2'), { session });
    expect(set.snapshot().term).toBe(2);
    expect(await set.read(db => db.keys(), { session })).toEqual(['a', 'b']);
    expect(await record()).toMatchObject({ term: 2, phase: 'serving', primary: set.snapshot().primary });
  });

  it('fences the earlier primary when it comes back', async () => {
    const set = await connect();
    site.cluster.kill('a');
    await set.write(db => db.set('b', '2'));
    site.cluster.start('a');
    await expect.poll(() => serverOf(set, 'a')).toMatchObject({ state: 'up', isFenced: true });
    expect(set.snapshot().primary).not.toBe('a');
  });

  it('promotes for a primary that stands still when two processes find it so', async () => {
    const [one, other] = [await connect(), await connect()];
    await one.write(db => db.set('a', '1'));
    site.cluster.stop('a');
    await expect.poll(() => serverOf(one, 'a')?.state).toBe('down');
    await one.write(db => db.set('b', '2'));
    await other.write(db => db.set('c', '3'));
    expect(one.snapshot()).toMatchObject({ term: 2, primary: other.snapshot().primary });
    expect(await one.read(db => db.keys())).toEqual(['a', 'b', 'c']);
    site.cluster.resume('a');
    await expect.poll(() => serverOf(one, 'a')?.isFenced).toBe(true);
  });

  it('does not promote for one process that finds the primary silent, unless it may', async () => {
    const set = await connect();
    site.cluster.stop('a');
    await expect(set.write(db => db.set('b', '2'), { timeoutMs: 1_000 })).rejects.toThrow(NoPrimaryError);
    expect(await record()).toMatchObject({ term: 1, primary: 'a' });
    await set.close();
    site.cluster.resume('a');
    const bold = await connect({ alone: true });
    site.cluster.stop('a');
    await bold.write(db => db.set('b', '2'));
    expect(bold.snapshot().term).toBe(2);
  });

  it('does not promote for short stalls', async () => {
    const [one, other] = [await connect(), await connect()];
    for (let stall = 0; stall < 50; stall++) {
      site.cluster.stop('a');
      await one.read(db => db.get('a'), { consistency: 'eventual' });
      site.cluster.resume('a');
      await one.write(db => db.set('a', String(stall)));
    }
    expect(one.snapshot().term).toBe(1);
    expect(other.snapshot().term).toBe(1);
  });

  it('does not promote for a sick replica', async () => {
    const set = await connect();
    site.cluster.kill('b');
    await expect.poll(() => serverOf(set, 'b')?.state).toBe('down');
    await set.write(db => db.set('a', '1'));
    expect(set.snapshot()).toMatchObject({ term: 1, primary: 'a' });
  });

  it('promotes nobody when too few standbys are recruited, and goes on when the primary is back (hapostgres/pg_auto_failover 682)', async () => {
    const set = await connect({ recruitMs: 200 });
    site.cluster.kill('b');
    site.cluster.kill('a');
    await expect(set.write(db => db.set('b', '2'), { timeoutMs: 1_500 })).rejects.toThrow(
      /has no primary that answers: a is down .*; no primary could be made: 1 of the 2 standbys/,
    );
    expect((await record()).primary).toBe('a');
    site.cluster.start('a');
    await set.write(db => db.set('b', '2'));
    expect(set.snapshot().primary).toBe('a');
  });

  it('promotes with fewer where loss is allowed, and says so', async () => {
    const set = await connect({ recruitMs: 200, allowLoss: true });
    site.cluster.kill('b');
    site.cluster.kill('a');
    const writing = set.write(db => db.set('b', '2'));
    await expect.poll(record).toMatchObject({ primary: 'c', loss: expect.stringContaining('1 of the 2') });
    site.cluster.start('b'); // Somebody must acknowledge
    await writing;
  });

  it('another process undoes what an orchestrator began that has died', async () => {
    const set = await connect();
    await set.write(db => db.set('a', '1'));
    const entry = (await site.store.get('failover:replica-set:term'))!;
    const begun = { ...(await record()), term: 2, phase: 'changing' };
    await site.store.set(entry.key, new TextEncoder().encode(JSON.stringify(begun)), {
      ifVersion: entry.version,
    });
    for (const each of site.cluster.servers().slice(1)) {
      const administration = await each.administer!(2, aborted);
      await administration.detach(aborted);
    }
    await set.write(db => db.set('b', '2'), { timeoutMs: 20_000 });
    expect(await record()).toMatchObject({ phase: 'serving', primary: 'a' });
  });

  it('another process finishes what an orchestrator began that has promoted', async () => {
    const set = await connect();
    await set.write(db => db.set('a', '1'));
    const entry = (await site.store.get('failover:replica-set:term'))!;
    const begun = { ...(await record()), term: 2, phase: 'changing', candidate: 'b' };
    site.cluster.kill('a');
    for (const each of site.cluster.servers().slice(1)) {
      const administration = await each.administer!(2, aborted);
      await administration.detach(aborted);
      if (each.id === 'b') await administration.promote(aborted);
    }
    await site.store.set(entry.key, new TextEncoder().encode(JSON.stringify(begun)));
    await set.write(db => db.set('b', '2'), { timeoutMs: 20_000 });
    expect(await record()).toMatchObject({ phase: 'serving', primary: 'b' });
  });

  it('a server obeys the latest term alone', async () => {
    const [, b] = site.cluster.servers();
    const early = await b!.administer!(5, aborted);
    const late = await b!.administer!(6, aborted);
    await expect(early.promote(aborted)).rejects.toThrow(TermPassedError);
    await expect(b!.administer!(5, aborted)).rejects.toThrow(TermPassedError);
    await late.detach(aborted);
  });

  it('refuses a store that may lose a term', async () => {
    const lossy = Object.create(site.store, { durability: { value: 'asynchronous' } });
    expect(() => leading({ store: lossy })).toThrow(/linearizable/);
  });

  it('goes on with the primary while the store is away', async () => {
    const set = await connect();
    await site.store.close();
    await set.write(db => db.set('a', '1'));
    expect(await set.read(db => db.get('a'))).toBe('1');
  });
});
