import { describe, expect, it } from 'vitest';
import { MoveRefusedError } from '../../src/errors/moves.ts';
import { UnplacedKeyError, WrongShardError } from '../../src/errors/routing.ts';
import { ShardIds } from '../../src/ids/shard-ids.ts';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import { Mover } from '../../src/moves/mover.ts';
import { altered } from '../support/altered.ts';
import { noteOf, put, rowsOf, tables } from '../support/moving-shards.ts';
import { filled, layout, remove } from './tenants.ts';

/** A mover which does something when its shard has closed the fence of a key that it forgets, the first time. */
async function site(meanwhile: (first: boolean) => Promise<void>) {
  const its = await filled({ layout });
  const backend = memoryMoves({ shards: its.shards });
  let calls = 0;
  const slow = altered(backend, {
    retire: async (...args: Parameters<NonNullable<typeof backend.retire>>) => {
      const found = await backend.retire!(...args);
      await meanwhile(calls++ === 0);
      return found;
    },
  });
  return { ...its, backend, slow };
}

describe('while a key is forgotten', () => {
  for (const trip of [['b'], ['b', 'a']]) {
    it(`its move to ${trip.join(' and back to ')} is seen, and no row that was written since is left`, async () => {
      let go!: () => Promise<void>;
      const { shards, one, store, mover, slow } = await site(async first => {
        if (first) await go();
      });
      await one.on(30).write(db => remove(db, 30));
      const other = mover();
      go = async () => {
        for (const to of trip)
          for (const { id } of await other.move({ kind: 'place', key: 30, to })) await other.finish(id);
        await one.on(30).write(db => db.execute(put(30, 1, 'new')));
      };
      const forgetting = new Mover({ backend: slow, store, tables });
      await expect(forgetting.forget(30)).rejects.toThrow(MoveRefusedError);
      await forgetting.close();
      expect(await one.on(30).read(db => noteOf(db, 30))).toBe('new');
      await one.on(30).write(db => remove(db, 30));
      await other.forget(30);
      for (const shard of ['a', 'b'])
        await expect(shards[shard]!.write(db => db.execute(put(30, 1)))).rejects.toThrow(WrongShardError);
    });
  }

  it('another call does not open what this one has closed', async () => {
    let go!: () => Promise<void>;
    const { shards, one, store, mover, backend, slow } = await site(async first => {
      if (first) await go();
    });
    let hasClosed!: () => void;
    const closed = new Promise<void>(resolve => (hasClosed = resolve));
    let isOpened!: () => void;
    const opened = new Promise<void>(resolve => (isOpened = resolve));
    // Where calls take turns, neither side comes while the other waits: that must end
    const wait = () => new Promise(resolve => setTimeout(resolve, 300));
    const last = altered(backend, {
      retire: async (...args: Parameters<NonNullable<typeof backend.retire>>) => {
        const found = await backend.retire!(...args);
        hasClosed();
        await Promise.race([opened, wait()]);
        await shards['a']!.write(db => db.execute(put(30, 1, 'late'))).catch(() => {});
        return found;
      },
    });
    const second = new Mover({ backend: last, store, tables });
    const first = new Mover({ backend: slow, store, tables });
    let done!: Promise<void>;
    // It has found rows, which are gone then; and the second finds none
    go = async () => {
      await one.on(30).write(db => remove(db, 30));
      done = second.forget(30);
      await Promise.race([closed, wait()]);
    };
    await expect(first.forget(30)).rejects.toThrow(MoveRefusedError);
    isOpened();
    await done;
    await first.close();
    await second.close();
    const { rows } = await shards['a']!.read(db => db.execute(rowsOf(30)));
    expect(rows).toEqual([]);
    await expect(shards['a']!.write(db => db.execute(put(30, 1)))).rejects.toThrow(WrongShardError);
    expect((await mover().map()).layout).toMatchObject({ free: [{ key: ['30'], slot: 3 }] });
  });
});

describe('a key whose rows were kept', () => {
  it('keeps its number, also when it was placed elsewhere and is forgotten there', async () => {
    const { one, mover, store } = await filled({ layout });
    const moves = mover();
    const id = await new ShardIds({ router: one, store }).next(70);
    await moves.forget(70, { rows: 'keep' });
    await moves.begin({ kind: 'place', key: 70, to: 'a' });
    await moves.forget(70);
    await moves.begin({ kind: 'place', key: 7, to: 'c' });
    await expect.poll(() => one.snapshot().map?.slots).toBe(11);
    expect(() => one.routeId(id)).toThrow('an id whose slot');
    await moves.begin({ kind: 'place', key: 70, to: 'b' });
    await expect.poll(() => one.routeId(id).shard).toBe('b');
    expect(await one.on(70).read(db => noteOf(db, 70))).toBe('x');
  });
});

describe('a call that has died before the map was changed', () => {
  it('is undone by placing the key where it is', async () => {
    const { shards, one, store, mover } = await filled({ layout });
    await one.on(30).write(db => remove(db, 30));
    const backend = memoryMoves({ shards });
    const dying = altered(backend, {
      retire: async (...args: Parameters<NonNullable<typeof backend.retire>>) => {
        await backend.retire!(...args);
        throw new Error('dead');
      },
      admit: () => Promise.reject(new Error('dead')),
    });
    const dead = new Mover({ backend: dying, store, tables });
    await expect(dead.forget(30)).rejects.toThrow('dead');
    await dead.close();
    await expect(shards['a']!.write(db => db.execute(put(30, 1)))).rejects.toThrow(WrongShardError);
    await mover().begin({ kind: 'place', key: 30, to: 'a' });
    await one.on(30).write(db => db.execute(put(30, 1, 'again')));
    expect(await one.on(30).read(db => noteOf(db, 30))).toBe('again');
    expect(() => one.route(33)).toThrow(UnplacedKeyError);
  });
});

describe('a call that stands still for longer than its lease', () => {
  it('does not open what another has closed since', async () => {
    const { shards, one, mover, store } = await filled({ layout });
    const backend = memoryMoves({ shards });
    let isStill = false;
    let go!: () => void;
    const gone = new Promise<void>(resolve => (go = resolve));
    let stands!: () => void;
    const standing = new Promise<void>(resolve => (stands = resolve));
    const still = altered(store, {
      claim: async (...args: Parameters<typeof store.claim>) => {
        if (isStill) await gone;
        return store.claim(...args);
      },
    });
    const slow = altered(backend, {
      admit: async (...args: Parameters<NonNullable<typeof backend.admit>>) => {
        isStill = true;
        // Its time is over by the store, and it does not know
        await store.release('shards:shards:entries', args[1].token);
        stands();
        await gone;
        // What it sends does not know of its lease
        await backend.admit!(args[0], { ...args[1], signal: AbortSignal.timeout(60_000) });
      },
    });
    const first = new Mover({ backend: slow, store: still, tables });
    // It finds rows, and opens what it has closed
    const refused = expect(first.forget(30)).rejects.toThrow(MoveRefusedError);
    await standing;
    await one
      .on(30)
      .write(db => remove(db, 30))
      .catch(() => {});
    await mover().forget(30);
    go();
    await refused;
    await first.close();
    await expect(shards['a']!.write(db => db.execute(put(30, 1, 'late')))).rejects.toThrow(WrongShardError);
  });

  it('opens what it has closed of a key that has come back', async () => {
    let go!: () => Promise<void>;
    const { one, store, mover, backend } = await site(async () => {});
    const late = altered(backend, {
      retire: async (...args: Parameters<NonNullable<typeof backend.retire>>) => {
        await go();
        return backend.retire!(...args);
      },
    });
    await one.on(30).write(db => remove(db, 30));
    const other = mover();
    go = async () => {
      go = async () => {};
      for (const to of ['b', 'a'])
        for (const { id } of await other.move({ kind: 'place', key: 30, to })) await other.finish(id);
      // And its end is begun
      await other.begin({ kind: 'place', key: 30, to: 'c' });
    };
    const forgetting = new Mover({ backend: late, store, tables });
    await expect(forgetting.forget(30)).rejects.toThrow(MoveRefusedError);
    await forgetting.close();
    await one.on(30).write(db => db.execute(put(30, 1, 'again')), { timeoutMs: 5_000 });
    expect(await one.on(30).read(db => noteOf(db, 30))).toBe('again');
  });
});
