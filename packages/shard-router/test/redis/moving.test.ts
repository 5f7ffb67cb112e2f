import { memoryStore, type Store } from '@ashlar/store';
import { eventually } from '@workspace/services';
import { describe, expect, it, onTestFinished } from 'vitest';
import { redisMoves } from '../../src/adapters/redis.ts';
import { type Step, steps } from '../../src/conformance/steps.ts';
import type { MoveBackend, MoveContext, MoveSpec } from '../../src/moves/move-backend.ts';
import { Mover } from '../../src/moves/mover.ts';
import type { MoverOptions } from '../../src/moves/mover-options.ts';
import { altered } from '../support/altered.ts';
import { oneShard, routerOf, shardOf } from './shards.ts';
import { Traffic } from './traffic.ts';

const keys = Array.from({ length: 12 }, (_, i) => i);
const clean = { lost: 0, duplicated: 0, stale: 0 };
const durable = { config: { appendonly: 'yes', appendfsync: 'always' } };

/** Two servers, traffic through a router of its own connections, and movers as of other processes. */
async function movingShards() {
  const [one, two] = [await oneShard(durable), await oneShard(durable)];
  const store = memoryStore();
  onTestFinished(() => store.close());
  const shards = { one: one.shard, two: two.shard };
  const theirs = [await shardOf(one.server), await shardOf(two.server)] as const;
  const router = await routerOf({ one: theirs[0].shard, two: theirs[1].shard }, { store });
  const traffic = new Traffic(router, keys);
  onTestFinished(async () => {
    await traffic.end().catch(() => {});
    for (const { close } of theirs) await close();
  });
  const backend = redisMoves({ shards });
  const mover = (more: Partial<MoverOptions> = {}) => {
    const mover = new Mover({
      backend,
      store,
      tables: {},
      steadyMs: 0,
      leaseMs: 10_000,
      lagMs: 30_000,
      pauseMs: 30_000,
      ...more,
    });
    onTestFinished(() => mover.close());
    return mover;
  };
  /** Keys with a count, by the server that has them. */
  const places = async () => ({
    one: (await one.raw.keys('{shards:*')).length,
    two: (await two.raw.keys('{shards:*')).length,
  });
  const written = (more: number) => {
    const until = traffic.writes + more;
    return eventually(async () => expect(traffic.writes).toBeGreaterThan(until), { withinMs: 20_000 });
  };
  return { one, two, store, backend, mover, traffic, places, written };
}

const idOf = ([move]: readonly { readonly id: string }[]): string => move!.id;

/** A process that works on a move, and is gone as soon as it has done a step: nothing of it reaches a server or the store any more. */
function dyingAt(name: Step, backend: MoveBackend, store: Store) {
  let isGone = false;
  let die!: () => void;
  const died = new Promise<void>(resolve => {
    die = resolve;
  });
  const gone = <T extends object>(of: T): T =>
    new Proxy(of, {
      get(target, method) {
        const member: unknown = Reflect.get(target, method, target);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          if (isGone) return Promise.reject(new Error('the process is gone'));
          return Reflect.apply(member, target, args);
        };
      },
    });
  const dying = altered(backend, {
    async [name](...args: [MoveSpec, MoveContext, never]) {
      await backend[name](...args);
      isGone = true;
      // As when its lease is over by the store
      await store.release(`shards:shards:move:${args[0].id}`, args[1].token);
      die();
      throw new Error('the process is gone');
    },
  } as Partial<MoveBackend>);
  return { backend: gone(dying), store: gone(store), died };
}

// None waits for a time, but a busy machine may take long
describe('slots that move between servers of Redis under traffic', { timeout: 180_000 }, () => {
  it('lose nothing, whatever step the coordinator dies at', async () => {
    const { store, backend, mover, traffic, places, written } = await movingShards();
    await written(20);
    const names = ['one', 'two'];
    for (const name of steps) {
      const [from, to] = names as [string, string];
      const id = idOf(await mover().begin({ kind: 'merge', shards: [from], into: to }));
      const { died, ...dying } = dyingAt(name, backend, store);
      const run = mover({ ...dying, leaseMs: 500 }).run(id).done;
      // On a busy machine its lease may end before
      await Promise.race([died, run.catch(() => {})]);
      expect(await mover().run(id).done, name).toMatchObject({ step: 'committed', to });
      await expect(run, name).rejects.toThrow();
      await written(5);
      await mover().finish(id);
      names.reverse();
    }
    expect(await traffic.end()).toMatchObject(clean);
    expect(await places()).toEqual({ one: keys.length, two: 0 });
    expect((await mover().status()).leaks).toEqual({ one: [] });
  });

  it.each(['one', 'two'] as const)(
    'lose nothing when the server %s dies at any step and is back',
    async which => {
      const shards = await movingShards();
      const { backend, mover, traffic, places, written } = shards;
      await written(20);
      for (const name of steps) {
        const id = idOf(await mover().begin({ kind: 'merge', shards: ['one'], into: 'two' }));
        let isKilled = false;
        const killing = altered(backend, {
          async [name](...args: never[]) {
            if (!isKilled) {
              isKilled = true;
              await shards[which].server.restart();
            }
            return (backend[name] as (...args: never[]) => Promise<unknown>)(...args);
          },
        } as Partial<MoveBackend>);
        let run = mover({ backend: killing }).run(id).done;
        // What a step has thrown leaves the move where it is
        const again = await run.then(
          () => false,
          () => true,
        );
        if (again) run = mover().run(id).done;
        const move = await run;
        await written(5);
        // Writes wait at this step, so a move is undone whose copy would have to start over
        if (move === undefined && name === 'turn') continue;
        expect(move, name).toMatchObject({ step: 'committed' });
        await mover().rollback(id);
        await written(5);
        await mover().finish(id);
      }
      expect(await traffic.end()).toMatchObject(clean);
      const { one, two } = await places();
      expect(one + two).toBe(keys.length);
    },
  );

  it('are undone and rolled back with all that was written', async () => {
    const { mover, traffic, places, written } = await movingShards();
    await written(20);
    const id = idOf(await mover().begin({ kind: 'merge', shards: ['one'], into: 'two' }));
    await mover().abort(id);
    const next = idOf(await mover().move({ kind: 'merge', shards: ['one'], into: 'two' }));
    await written(20);
    expect(await mover().verify(next)).toMatchObject({ differences: [] });
    await mover().rollback(next);
    await written(20);
    await mover().finish(next);
    const report = await traffic.end();
    expect(report).toMatchObject({ ...clean, errors: [] });
    const { one, two } = await places();
    expect(one + two).toBe(keys.length);
  });
});
