import { setJson } from '@ashlar/store';
import { beforeEach, describe, expect, it } from 'vitest';
import { type MemberHooks, ReplicaSetClosedError } from '../../../src/index.ts';
import { leadingSite, serverOf } from './site.ts';

describe('a primary of before', () => {
  const site = leadingSite({ alone: true });
  const { connect } = site;

  let calls: string[];
  beforeEach(() => {
    calls = [];
  });

  const hooks = (changes: MemberHooks = {}): Record<string, MemberHooks> => ({
    a: {
      stop: async ({ id, primary, term }) => {
        calls.push(`stop ${id}, ${primary} leads in term ${term}`);
        site.cluster.kill(id);
      },
      rewind: async ({ id }) => {
        calls.push(`rewind ${id}`);
        site.cluster.rejoin(id);
      },
      start: async ({ id }) => {
        calls.push(`start ${id}`);
        site.cluster.start(id);
      },
      ...changes,
    },
  });

  it('is stopped, rewound and started, by one of two processes, and may lead again', async () => {
    const [set] = [await connect({ members: hooks() }), await connect({ members: hooks() })];
    expect((await set.switchover({ to: 'b' })).before).toBe('rejoins');
    await expect.poll(() => serverOf(set, 'a')).toMatchObject({ state: 'up', role: 'replica' });
    expect(calls).toEqual(['stop a, b leads in term 2', 'rewind a', 'start a']);
    await expect.poll(() => set.snapshot().leading?.notes).toEqual({});
    await set.switchover({ to: 'a' });
    await set.write(db => db.set('a', '1'));
  });

  it('is not rewound while it is not fenced, and without a hook never', async () => {
    const set = await connect({ members: { b: hooks()['a']! } });
    site.cluster.kill('a');
    await set.write(db => db.set('a', '1'));
    site.cluster.start('a');
    await expect.poll(() => serverOf(set, 'a')?.isFenced).toBe(true);
    expect(calls).toEqual([]);
  });

  it('is in quarantine when a hook fails, which is told, and not tried again', async () => {
    const rewind = () => Promise.reject(new Error('no space left'));
    const set = await connect({ members: hooks({ rewind }) });
    await set.switchover({ to: 'b' });
    const why = 'the hook `rewind` failed: no space left';
    await expect
      .poll(() => set.snapshot().leading)
      .toMatchObject({
        notes: { a: { state: 'quarantined', term: 2, why } },
        warnings: [`a is in quarantine: ${why}`],
      });
    expect(calls).toEqual(['stop a, b leads in term 2']);
    site.cluster.start('a');
    await set.write(db => db.set('a', '1'));
    // An operator has mended it
    site.cluster.rejoin('a');
    await expect.poll(() => set.snapshot().leading?.notes).toEqual({});
  });

  it('is in quarantine when it is a primary again after all hooks', async () => {
    const set = await connect({ members: hooks({ rewind: async () => {} }) });
    await set.switchover({ to: 'b' });
    await expect
      .poll(() => set.snapshot().leading?.notes['a']?.why)
      .toBe('it was rewound, and is a primary again all the same');
    expect(calls).toEqual(['stop a, b leads in term 2', 'start a']);
  });

  it('is not recruited while nobody knows how far it was rewound', async () => {
    const rewind = async () => {
      site.cluster.rejoin('a');
      site.cluster.pauseReplay('a');
      throw new Error('half');
    };
    const set = await connect({ members: hooks({ rewind }), recruitMs: 200 });
    await set.switchover({ to: 'b' });
    await expect.poll(() => set.snapshot().leading?.notes['a']?.state).toBe('quarantined');
    site.cluster.kill('b');
    await expect(set.write(db => db.set('a', '1'), { timeoutMs: 1_000 })).rejects.toThrow(
      /1 of the 2 standbys/,
    );
  });

  it('is in quarantine when the process has died that rewound it', async () => {
    const set = await connect({ members: hooks() });
    site.cluster.kill('a');
    await set.write(db => db.set('a', '1'));
    await setJson(site.store, 'failover:replica-set:member:a', { state: 'rewinding', term: 2 });
    site.cluster.start('a');
    await expect
      .poll(() => set.snapshot().leading?.notes['a'])
      .toMatchObject({
        state: 'quarantined',
        why: expect.stringContaining('has died'),
      });
    expect(calls).toEqual([]);
  });

  it('is rewound as long as that takes, and no other process takes over', async () => {
    let finish = () => {};
    const rewind = async ({ id }: { id: string }) => {
      calls.push(`rewind ${id}`);
      await new Promise<void>(resolve => {
        finish = resolve;
      });
      site.cluster.rejoin(id);
    };
    const one = await connect({ members: hooks({ rewind }), recruitMs: 50 });
    const other = await connect({ members: hooks({ rewind }), recruitMs: 50 });
    await one.switchover({ to: 'b' });
    await expect.poll(() => calls.length).toBe(2);
    // Longer than any deadline that there is, and the set goes on meanwhile
    for (let n = 0; n < 50; n++) await other.write(db => db.set('a', String(n)));
    expect(other.snapshot().leading?.notes['a']?.state).toBe('rewinding');
    finish();
    await expect.poll(() => serverOf(other, 'a')).toMatchObject({ state: 'up', role: 'replica' });
    expect(calls).toHaveLength(3);
  });

  it('is not left half rewound by a set that is closed: it waits for the hook', async () => {
    let finish = () => {};
    const rewind = async ({ id }: { id: string }) => {
      calls.push(`rewind ${id}`);
      await new Promise<void>(resolve => {
        finish = resolve;
      });
      site.cluster.rejoin(id);
      calls.push('rewound');
    };
    const set = await connect({ members: hooks({ rewind }) });
    await set.switchover({ to: 'b' });
    await expect.poll(() => calls.at(-1)).toBe('rewind a');
    const closed = set.close().then(() => calls.push('closed'));
    await expect(set.read(db => db.get('a'))).rejects.toThrow(ReplicaSetClosedError);
    finish();
    await closed;
    expect(calls.slice(-3)).toEqual(['rewound', 'start a', 'closed']);
  });
});
