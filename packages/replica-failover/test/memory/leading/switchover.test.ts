import { describe, expect, it } from 'vitest';
import {
  FailoverRefusedError,
  type MemoryClient,
  NoStandbyError,
  Session,
  WaitingFullError,
} from '../../../src/index.ts';
import { over } from '../changed-server.ts';
import { leadingSite, serverOf } from './site.ts';

const never = new AbortController().signal;

describe('switchover, where the set leads', () => {
  const site = leadingSite();
  const { connect, record } = site;

  it('hands over while two processes write, without an error, and loses nothing', async () => {
    const both = [await connect(), await connect()];
    const written: string[] = [];
    let isOver = false;
    const writers = both.map(async (set, process) => {
      for (let n = 0; !isOver || n < 20; n++) {
        const keys = [`${process}.${n}.a`, `${process}.${n}.b`];
        // Statements that commit one by one must not be parted by the pause either
        const work = async (db: MemoryClient) => {
          for (const key of keys) await db.set(key, '1');
        };
        if (n % 2 === 0) await set.write(work);
        else await set.transaction(work);
        written.push(...keys);
        await new Promise(setImmediate); // else no timer of this process would ever come to its turn
      }
    });
    const report = await both[0]!.switchover({ to: 'c' });
    isOver = true;
    await Promise.all(writers);
    expect(report).toMatchObject({ from: 'a', to: 'c', term: 2 });
    expect(await record()).toMatchObject({ term: 2, primary: 'c', phase: 'serving' });
    expect(await both[1]!.read(db => db.keys())).toEqual(written.sort());
  });

  it('leaves the old primary fenced, as no hook says how it is rewound', async () => {
    const set = await connect();
    const report = await set.switchover({ to: 'b' });
    expect(report.before).toBe('fenced');
    await expect.poll(() => serverOf(set, 'a')).toMatchObject({ role: 'primary', isFenced: true });
    await set.write(db => db.set('a', '1'));
  });

  it('chooses the replica that has come furthest (patroni/patroni 2405)', async () => {
    const set = await connect();
    site.cluster.pauseReplay('b');
    const session = new Session();
    await set.write(db => db.set('a', '1'), { session });
    await expect.poll(() => serverOf(set, 'c')?.position?.offset).toBe('1');
    expect(await set.switchover()).toMatchObject({ to: 'c' });
    expect(await set.read(db => db.get('a'), { session })).toBe('1');
  });

  it('refuses what would leave too few standbys to acknowledge, and writes go on', async () => {
    const set = await connect();
    await set.switchover({ to: 'b' });
    let runs = 0;
    let finish = () => {};
    const held = set.transaction(async db => {
      runs++;
      await db.set('held', '1');
      await new Promise<void>(resolve => {
        finish = resolve;
      });
    });
    await expect.poll(() => runs).toBe(1);
    const second = set.switchover({ to: 'c' });
    await expect(second).rejects.toThrow(FailoverRefusedError);
    await expect(second).rejects.toThrow(
      /^0 standbys would be left, and 1 must acknowledge: .* give b hooks/,
    );
    expect(set.snapshot()).toMatchObject({ primary: 'b', leading: { phase: 'serving', warnings: [] } });
    finish();
    await held;
    expect(runs).toBe(1);
    await set.write(db => db.set('a', '1'));
  });

  it('of the last standby, with `allowLoss`, lets writes wait at once, and not one in that nobody acknowledges', async () => {
    const set = await connect({ allowLoss: true });
    await set.switchover({ to: 'b' });
    await set.switchover({ to: 'c' });
    for (const call of ['write', 'transaction'] as const) {
      const alone = set[call](db => db.set('a', '1'), { timeoutMs: 300 });
      await expect(alone).rejects.toThrow(NoStandbyError);
    }
    await expect
      .poll(() => set.snapshot().leading?.warnings)
      .toEqual([expect.stringMatching(/fewer than the 1 standbys/)]);
    // It was not executed
    expect(await set.read(db => db.get('a'), { consistency: 'eventual' })).toBeUndefined();
    await set.changeMembers({ synchronous: 0 });
    await set.write(db => db.set('a', '2'));
    await expect.poll(() => set.snapshot().leading?.warnings).toEqual([]);
  });

  it('refuses who is no standby that could, and changes nothing', async () => {
    const set = await connect();
    await expect(set.switchover({ to: 'a' })).rejects.toThrow(/a is the primary/);
    await expect(set.switchover({ to: 'x' })).rejects.toThrow(/there is no server x/);
    site.cluster.kill('b');
    await expect.poll(() => serverOf(set, 'b')?.state).toBe('down');
    await expect(set.switchover({ to: 'b' })).rejects.toThrow(FailoverRefusedError);
    expect(await record()).toMatchObject({ term: 1, primary: 'a' });
    await set.write(db => db.set('a', '1'));
  });

  it('is taken back when too few standbys can be recruited, and writes go on', async () => {
    const set = await connect({ recruitMs: 200 });
    site.cluster.stop('c');
    await expect(set.switchover({ to: 'b' })).rejects.toThrow(/1 of the 2 standbys/);
    expect(await record()).toMatchObject({ primary: 'a', phase: 'serving' });
    expect(await record()).not.toHaveProperty('planned');
    await set.write(db => db.set('a', '1'));
    expect(serverOf(set, 'a')?.isFenced).toBe(false);
  });

  it('is taken back when its signal aborts before anybody is promoted', async () => {
    const set = await connect();
    const controller = new AbortController();
    const mine = new RangeError('mine');
    let finish = () => {};
    const writing = set.write(
      db =>
        new Promise<void>(resolve => {
          finish = () => resolve(db.set('a', '1'));
        }),
    );
    const switching = set.switchover({ to: 'b', signal: controller.signal });
    switching.catch(() => {});
    await expect.poll(async () => (await record()).isHolding).toBe(true);
    controller.abort(mine);
    await expect(switching).rejects.toBe(mine);
    finish();
    await writing;
    await set.write(db => db.set('b', '2'));
    expect(set.snapshot().primary).toBe('a');
  });

  it('waits for what runs, also in another process, and ends what takes longer than it may', async () => {
    const [one, other] = [await connect({ drainMs: 300 }), await connect()];
    let finish = () => {};
    let begun = () => {};
    const hasBegun = new Promise<void>(resolve => {
      begun = resolve;
    });
    const first = other.write(async db => {
      await db.set('a', '1');
      begun();
      await new Promise<void>(resolve => {
        finish = resolve;
      });
      await db.set('b', '2');
    });
    await hasBegun;
    const switching = one.switchover({ to: 'b' });
    await expect.poll(async () => (await record()).isHolding).toBe(true);
    const waits = one.write(db => db.set('c', '3'));
    finish();
    await first;
    await Promise.all([switching, waits]);
    expect(await one.read(db => db.keys())).toEqual(['a', 'b', 'c']);

    site.cluster.rejoin('a');
    let runs = 0;
    let goOn = () => {};
    const slow = other.transaction(async db => {
      runs++;
      await db.set('d', String(runs));
      if (runs > 1) return;
      await new Promise<void>(resolve => {
        goOn = resolve;
      });
      await db.get('d');
    });
    await expect.poll(() => runs).toBe(1);
    await one.switchover({ to: 'c' });
    goOn();
    await slow;
    expect(await one.read(db => db.get('d'))).toBe('2');
  });

  it('lets writes go on in a process that has not heard from the store since it began', async () => {
    let isDeaf = false;
    const deaf = over(site.store, {
      watch: (prefix, options) =>
        (async function* () {
          for await (const change of site.store.watch(prefix, options)) if (!isDeaf) yield change;
        })(),
    });
    const set = await connect({ store: deaf });
    await expect.poll(() => set.snapshot().leading?.phase).toBe('serving');
    isDeaf = true;
    await set.switchover({ to: 'b' });
    await set.write(db => db.set('a', '1'));
    expect(set.snapshot().primary).toBe('b');
  });

  it('waits for a process that takes part until it has said something, and not for one that has died', async () => {
    const set = await connect({ drainMs: 60_000 });
    const word = new TextEncoder().encode(JSON.stringify({ term: 2, state: 'here' }));
    await site.store.set('failover:replica-set:drain:dead', word);
    const report = await set.switchover({ to: 'b' });
    expect([report.pausedMs, ...Object.values(report.stepsMs!)].every(Number.isInteger)).toBe(true);
    expect(Object.keys(report.stepsMs!)).toEqual([
      'prepare',
      'hold',
      'drain',
      'fence',
      'catch up',
      'recruit',
      'promote',
      'publish',
    ]);
    await set.write(db => db.set('a', '1'));
  });

  it('promotes nobody who lacks what another standby has, which could not follow then', async () => {
    const servers = site.cluster.servers().map(server =>
      over(server, {
        async administer(term, signal) {
          const administration = await server.administer!(term, signal);
          if (server.id !== 'c') return administration;
          return over(administration, {
            async detach(stop) {
              const { term, offset } = await administration.detach(stop);
              return { term, offset: offset + 1n };
            },
          });
        },
      }),
    );
    const set = await connect({ drainMs: 200 }, { servers });
    await expect(set.switchover({ to: 'b' })).rejects.toThrow(/b has not got all that a has/);
    await set.write(db => db.set('a', '1'));
    expect(await record()).toMatchObject({ phase: 'serving', primary: 'a' });
    await expect.poll(() => serverOf(set, 'a')?.isFenced).toBe(false);
  });

  it('holds at most so many writes; one more is refused at once', async () => {
    const set = await connect({}, { maxWaiting: 2 });
    site.cluster.kill('b');
    site.cluster.kill('c');
    site.cluster.kill('a');
    await expect.poll(() => serverOf(set, 'a')?.state).toBe('down');
    const waiting = [1, 2].map(n => set.write(db => db.set(`${n}`, '1')));
    const refused = set.write(db => db.set('3', '1'));
    await expect(refused).rejects.toThrow(WaitingFullError);
    await expect(refused).rejects.toMatchObject({ outcome: 'NotExecuted', maxWaiting: 2 });
    for (const id of ['a', 'b', 'c']) site.cluster.start(id);
    await Promise.all(waiting);
  });

  it('another process takes back what an orchestrator began that has died', async () => {
    const set = await connect();
    await set.write(db => db.set('a', '1'));
    const entry = (await site.store.get('failover:replica-set:term'))!;
    const begun = { ...(await record()), term: 2, phase: 'changing', planned: true };
    await site.store.set(entry.key, new TextEncoder().encode(JSON.stringify(begun)), {
      ifVersion: entry.version,
    });
    const old = await site.cluster.servers()[0]!.administer!(2, never);
    await old.drain(never);
    await old.fence();
    await set.write(db => db.set('b', '2'), { timeoutMs: 20_000 });
    expect(await record()).toMatchObject({ phase: 'serving', primary: 'a' });
  });

  it('a primary that was fenced and stays primary is let write again', async () => {
    const set = await connect();
    const old = await site.cluster.servers()[0]!.administer!(1, never);
    await old.fence();
    await set.write(db => db.set('b', '2'), { timeoutMs: 20_000 });
    expect(set.snapshot().primary).toBe('a');
  });
});
