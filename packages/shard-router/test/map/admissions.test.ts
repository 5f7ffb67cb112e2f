import { describe, expect, it } from 'vitest';
import { WrongShardError } from '../../src/errors/routing.ts';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import type { MemoryClient } from '../../src/memory/memory-shard.ts';
import type { MoveBackend } from '../../src/moves/move-backend.ts';
import { Mover } from '../../src/moves/mover.ts';
import type { ShardRouter } from '../../src/router.ts';
import { altered } from '../support/altered.ts';
import { noteOf, put, tables } from '../support/moving-shards.ts';
import { filled } from './tenants.ts';

const layout = {
  kind: 'directory',
  entries: Array.from({ length: 10 }, (_, i) => ({ key: i * 10, shard: i < 5 ? 'a' : 'b' })),
} as const;
const place = { kind: 'place', key: 30, to: 'a' } as const;

/** A key that its shard has lost, and a mover with parts of its own which is about to place it there again. */
async function site(
  parts: (its: Awaited<ReturnType<typeof filled>>, backend: MoveBackend) => object = () => ({}),
) {
  const its = await filled({ layout, leaseMs: 1_000 });
  const { shards, store, mover } = its;
  await mover().forget(30, { rows: 'keep' });
  const backend = memoryMoves({ shards });
  const placing = new Mover({ backend, store, tables, leaseMs: 500, ...parts(its, backend) });
  const write = () => shards['a']!.write(db => db.execute(put(30, 1, 'past the router')));
  await expect(write()).rejects.toThrow(WrongShardError);
  return { ...its, backend, placing, write };
}

/** Until a router knows where the key is. */
async function routed(router: ShardRouter<MemoryClient>, shard: string): Promise<void> {
  const found = () => {
    try {
      return router.route(30).shard;
    } catch {
      return undefined;
    }
  };
  await expect.poll(found).toBe(shard);
}

/** The backend, which does this as soon as a shard has let the key in. */
function admitting(backend: MoveBackend, then: () => void, changes: Partial<MoveBackend> = {}): MoveBackend {
  const admit: NonNullable<MoveBackend['admit']> = async (...args) => {
    await backend.admit!(...args);
    then();
  };
  return altered(backend, { admit, ...changes });
}

/** Watches until nothing is left to take back. */
async function settled(mover: Mover): Promise<void> {
  const stop = new AbortController();
  const watch = mover.watch({ signal: stop.signal });
  await expect.poll(async () => (await mover.map()).layout).not.toHaveProperty('admissions');
  stop.abort();
  await watch;
}

describe('a key that is placed, whose entry does not come into the map', () => {
  it('is refused by its shard again when the store says no', async () => {
    let isRefused = false;
    const { placing, write, mover, one } = await site(({ store }, backend) => ({
      store: altered(store, {
        set: (...args: Parameters<typeof store.set>) => {
          if (!isRefused || !args[0].endsWith(':map')) return store.set(...args);
          isRefused = false;
          return Promise.reject(new Error('the store is away'));
        },
      }),
      backend: admitting(backend, () => {
        isRefused = true;
      }),
    }));
    await expect(placing.begin(place)).rejects.toThrow('the store is away');
    await placing.close();
    await expect(write()).rejects.toThrow(WrongShardError);
    expect((await mover().map()).layout).not.toHaveProperty('admissions');
    await mover().begin(place);
    await routed(one, 'a');
    await one.on(30).write(db => db.execute(put(30, 1, 'again')));
    expect((await mover().map()).layout).not.toHaveProperty('admissions');
  });

  it('is refused again by a mover that watches, when the process has died', async () => {
    const { placing, write, mover } = await site((_, backend) => ({
      backend: admitting(
        backend,
        () => {
          throw new Error('dead');
        },
        { retire: () => Promise.reject(new Error('dead')) },
      ),
    }));
    await expect(placing.begin(place)).rejects.toThrow('dead');
    await placing.close();
    await write();
    await settled(mover());
    await expect(write()).rejects.toThrow(WrongShardError);
  });

  it('stays let in where the entry came after all, or a move has brought the key', async () => {
    let isDead = false;
    const { placing, mover, one } = await site(({ store }, backend) => ({
      store: altered(store, {
        set: (...args: Parameters<typeof store.set>) =>
          isDead ? Promise.reject(new Error('dead')) : store.set(...args),
      }),
      backend: admitting(backend, () => {
        isDead = true;
      }),
    }));
    await expect(placing.begin(place)).rejects.toThrow('dead');
    await placing.close();
    const other = mover();
    await other.begin({ ...place, to: 'b' });
    await routed(one, 'b');
    await one.on(30).write(db => db.execute(put(30, 1, 'on b')));
    expect((await other.map()).layout).toMatchObject({ admissions: [{ key: ['30'], shard: 'a' }] });
    const kept = await other.plan(place);
    expect(kept[0]?.obstacles.map(({ kind }) => kind)).toEqual(['rows_at_target']);
    await one.on(30).write(async db => {
      const { table } = put(30, 1);
      await db.execute({ kind: 'delete', table, where: [{ column: 'tenant', op: '=', value: 30n }] });
    });
    await settled(other);
    expect(await other.purge(30, 'a')).toBe(1);
    for (const { id } of await other.move(place)) await other.finish(id);
    await one.on(30).write(db => db.execute(put(30, 1, 'again')));
    expect(await one.on(30).read(db => noteOf(db, 30))).toBe('again');
  });

  it('is not let in by a call that stood still until another had taken it back', async () => {
    let isStill = false;
    let go!: () => void;
    const gone = new Promise<void>(resolve => (go = resolve));
    let stands!: () => void;
    const standing = new Promise<void>(resolve => (stands = resolve));
    const { placing, write, mover } = await site(({ store }, backend) => ({
      leaseMs: 300,
      store: altered(store, {
        claim: async (...args: Parameters<typeof store.claim>) => {
          if (isStill) await gone;
          return store.claim(...args);
        },
      }),
      backend: altered(backend, {
        admit: async (...args: Parameters<NonNullable<MoveBackend['admit']>>) => {
          isStill = true;
          stands();
          await gone;
          // What it sends does not know of its lease
          await backend.admit!(args[0], { ...args[1], signal: AbortSignal.timeout(60_000) });
        },
      }),
    }));
    const refused = expect(placing.begin(place)).rejects.toThrow();
    await standing;
    await settled(mover());
    go();
    await refused;
    await placing.close();
    await expect(write()).rejects.toThrow(WrongShardError);
    expect((await mover().map()).layout).toMatchObject({ spent: [{ key: ['30'] }] });
  });
});
