import { InvalidOptionError } from '@ashlar/core';
import { memoryDriver, messages, Queue, QueueUnavailableError } from '@ashlar/queue';
import { memoryStore, type Store } from '@ashlar/store';
import { Peer } from '@workspace/faults';
import { eventually, startPostgres, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type InPartitionsOptions, inPartitions, Precompute, systemWallClock } from '../src/index.ts';
import { type Backend, connect } from './fixtures/backends.ts';
import { divided, keysOfEach, type MemberSettings, partitions, type Said } from './fixtures/partitions.ts';
import { preparedOf } from './support/prepared.ts';
import { ending, gate, outage, site } from './support/site.ts';

const memoryQueue = () => ending(new Queue(memoryDriver(), { messages: messages<{ parts: unknown }>() }));

/** Data sets in this process that share a store and a queue, as processes would. */
function fleet(
  size: number,
  load: (partition: number, member: number, attempt: number) => readonly (readonly [number, number])[],
  optionsOf: (member: number) => Partial<InPartitionsOptions<number, number, number>> = () => ({}),
  queue = memoryQueue(),
) {
  const store = ending(memoryStore());
  return Array.from({ length: size }, (_, member) =>
    ending(
      new Precompute<number, number>({
        name: 'squares',
        schedule: '0 0 1 1 *',
        store,
        pollMs: 50,
        source: inPartitions({
          queue,
          topic: 'parts',
          partitions: () => [0, 1, 2, 3, 4, 5, 6, 7],
          load: (partition, { attempt }) => load(partition, member, attempt),
          ...optionsOf(member),
        }),
      }),
    ),
  );
}

/** What is in the store of partitions of the data set `best`. */
async function keysOf(store: Store): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list('precompute/best/parts/')) keys.push(key);
  return keys;
}

describe('partitions of a run', () => {
  it('are spread over the processes, and published as one version', async () => {
    const by = new Map<number, number>();
    const [first, ...others] = fleet(4, (partition, member) => {
      by.set(partition, member);
      return [
        [partition, partition * partition],
        [partition + 100, 1],
      ];
    });
    await Promise.all([first!, ...others].map(each => each.start()));
    expect(await first!.refresh()).toMatchObject({
      status: 'succeeded',
      result: { version: 1, entries: 16 },
    });
    expect(by.size).toBe(8);
    expect(new Set(by.values()).size).toBeGreaterThan(1);
    expect([first!.get(7).value, first!.get(107).value]).toEqual([49, 1]);
  });

  it('are loaded where the run is when nobody has started', async () => {
    const [only] = fleet(1, partition => [[partition, 1]]);
    expect(await only!.refresh()).toMatchObject({ status: 'succeeded', result: { entries: 8 } });
  });

  it('wait for the first process that loads some', async () => {
    const queue = memoryQueue();
    const [own, late] = fleet(
      2,
      partition => [[partition, 1]],
      member => (member === 0 ? { concurrency: 0 } : {}),
      queue,
    );
    const refreshing = own!.refresh();
    await eventually(async () => expect(await queue.stats('parts')).toMatchObject({ waiting: 8 }), {
      withinMs: 30_000,
    });
    await late!.start();
    expect(await refreshing).toMatchObject({ status: 'succeeded', result: { entries: 8 } });
  });

  it('fail the run when one fails each time, and the version before is served', async () => {
    let isBroken = false;
    const calls: number[] = [];
    const [only] = fleet(
      1,
      (partition, _, attempt) => {
        if (isBroken && partition === 3) {
          calls.push(attempt);
          throw new Error('shard 3 is away');
        }
        return [[partition, 1]];
      },
      () => ({ attempts: 2 }),
    );
    await only!.start();
    await only!.refresh();
    isBroken = true;
    const { status, error } = await only!.refresh();
    expect({ status, error }).toMatchObject({
      status: 'failed',
      error: {
        code: 'ASHLAR_CRON_PRECOMPUTE_CHUNK_FAILED',
        message: expect.stringContaining('shard 3 is away'),
      },
    });
    expect(calls).toEqual([1, 2]);
    expect(only!.get(3)).toMatchObject({ value: 1, version: 1 });
    isBroken = false;
    expect(await only!.refresh()).toMatchObject({ status: 'succeeded' });
  });

  it('wait for a queue and a store that are away for a moment', async () => {
    const place = site();
    const driver = memoryQueue();
    let isAway = true;
    const away = () => {
      isAway = !isAway;
      if (!isAway) throw new QueueUnavailableError('it is away', 'Unknown');
    };
    const queue = {
      declare: driver.declare.bind(driver),
      publish: (topic: 'parts', payload: unknown, options: never) => {
        away();
        return driver.publish(topic, payload, options);
      },
      subscribe: driver.subscribe.bind(driver),
      dead: (topic: 'parts') => ({
        async purge() {
          away();
          return driver.dead(topic).purge();
        },
        async *[Symbol.asyncIterator]() {
          away();
          yield* driver.dead(topic);
        },
      }),
    };
    const { best, machine } = preparedOf<number>(place, () => [], {
      clock: systemWallClock,
      pollMs: 50,
      source: inPartitions({
        queue: queue as never,
        topic: 'parts',
        partitions: () => [1, 2, 3],
        load: (partition: number) => [[String(partition), partition] as const],
      }),
    });
    const failed = new Set<string>();
    machine.before = (method, key) => {
      const isNew = method === 'get' && key.includes('/parts/of/') && !failed.has(key);
      if (!isNew) return;
      failed.add(key);
      throw outage();
    };
    expect(await best.refresh()).toMatchObject({ status: 'succeeded', result: { entries: 3 } });
    expect(failed.size).toBeGreaterThan(3);
  });

  it('are awaited without reading the dead letters of earlier runs, which are deleted', async () => {
    const queue = memoryQueue();
    const topic = 'parts' as const;
    const failing = await queue.subscribe(topic, () => Promise.reject(new Error('no')), { attempts: 1 });
    for (let i = 0; i < 50; i++) await queue.publish(topic, i);
    await eventually(async () => expect(await queue.dead(topic).count()).toBe(50), { withinMs: 30_000 });
    await failing.close();
    let read = 0;
    const counting = Object.assign(Object.create(queue) as typeof queue, {
      declare: queue.declare.bind(queue),
      publish: queue.publish.bind(queue),
      subscribe: queue.subscribe.bind(queue),
      dead: () => ({
        purge: () => queue.dead(topic).purge(),
        async *[Symbol.asyncIterator]() {
          for await (const letter of queue.dead(topic)) {
            read++;
            yield letter;
          }
        },
      }),
    });
    const store = ending(memoryStore());
    const [length, keys] = [40, 3];
    const best = ending(
      new Precompute<string, number>({
        name: 'a',
        schedule: '0 0 1 1 *',
        store,
        source: inPartitions({
          queue: counting as never,
          topic,
          partitions: () => Array.from({ length }, (_, index) => index),
          load: (partition: number) =>
            Array.from({ length: keys }, (_, n) => [`${partition}/${n}`, n] as const),
        }),
      }),
    );
    expect(await best.refresh()).toMatchObject({ status: 'succeeded', result: { entries: length * keys } });
    expect(read).toBe(0);
    expect(await queue.dead(topic).count()).toBe(0);
  });

  it('leave nothing in the store but the version', async () => {
    const store = ending(memoryStore());
    const queue = memoryQueue();
    const source = inPartitions({
      queue,
      topic: 'parts',
      partitions: () => [1, 2, 3],
      load: (partition: number) => [[partition, 1] as const],
    });
    const options = { name: 'best', schedule: '0 0 1 1 *', store, source } as const;
    const best = ending(new Precompute<number, number>(options));
    await best.refresh();
    expect(await keysOf(store)).toEqual([]);
    expect(() => new Precompute<number, number>(options)).toThrow(/one Precompute/);
  });

  it('leave nothing when they are loaded after the run has ended', async () => {
    const store = ending(memoryStore());
    const last = gate();
    const best = new Precompute<number, number>({
      name: 'best',
      schedule: '0 0 1 1 *',
      store,
      source: inPartitions({
        queue: memoryQueue(),
        topic: 'parts',
        concurrency: 2,
        attempts: 1,
        partitions: () => [0, 1],
        load: async (partition: number) => {
          if (partition === 0) throw new Error('shard 0 is away');
          await last.opened;
          return [[partition, 1] as const];
        },
      }),
    });
    expect(await best.refresh()).toMatchObject({ status: 'failed' });
    last.open();
    await best.close(); // It is loaded first
    expect((await keysOf(store)).filter(key => !key.includes('/00000000/'))).toEqual([]);
  });

  it.each([
    [{ queue: {} }, 'queue'],
    [{ queue: undefined }, 'queue'],
    [{ topic: '' }, 'topic'],
    [{ attempts: 0 }, 'attempts'],
    [{ partition: [] }, 'partition'],
  ])('%j is refused', (options, option) => {
    const good = { queue: new Queue(memoryDriver(), { messages: messages() }), topic: 'a' };
    const make = () => inPartitions({ ...good, partitions: () => [1], load: () => [], ...options } as never);
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(expect.objectContaining({ option }));
  });
});

const servers = { redis: startRedis, postgres: startPostgres };

describe.each(['redis', 'postgres'] as const)('on %s', kind => {
  describeWith(kind, 'partitions of a run', () => {
    const prepared = async () => {
      const server = await servers[kind]();
      onTestFinished(() => server.stop());
      const backend: Backend = { kind, url: server.url, place: 'test' };
      const own = (launches: boolean) => ending(divided(backend, () => {}, { concurrency: 0, launches }));
      const start = (launches: boolean) => {
        const settings: MemberSettings = { backend, launches };
        const peer = new Peer<Said>(new URL('./fixtures/partitions-process.ts', import.meta.url), settings);
        onTestFinished(() => peer.end());
        return peer;
      };
      return { backend, own, start };
    };
    /** Lets a process load so many partitions; it is then in the middle of another. */
    const work = async (peer: Peer<Said>, count: number) => {
      for (let loaded = 0; ; ) {
        const { what } = await peer.next();
        if (what === 'loaded') loaded++;
        else if (loaded === count) return;
        else peer.process.send('go on');
      }
    };
    /** Lets a process load whatever comes, until its end. */
    const rest = async (peer: Peer<Said>) => {
      for (;;) if ((await peer.next()).what === 'loading') peer.process.send('go on');
    };
    const entries = partitions * keysOfEach;

    it('are done when processes die in the middle of them, and published once', async () => {
      const { own, start } = await prepared();
      const { best, prepare } = own(false);
      await prepare();
      await best.start();
      const peers = [start(true), start(true)];
      const refreshing = best.refresh();
      await Promise.all(peers.map(peer => work(peer, 2)));
      // One of the two has the run itself
      for (const peer of peers) await peer.end();
      const last = start(true);
      rest(last).catch(() => {});
      expect(await refreshing).toMatchObject({ status: 'succeeded', attempt: 2, result: { entries } });
      expect(await best.versions()).toHaveLength(1);
      expect(best.get('11/49')).toMatchObject({ value: 49, status: 'fresh' });
    });

    it.each([
      ['loads', false],
      ['loads, and has the run,', true],
    ])(
      'of a process that %s and stands still are done by others, and nothing is left when it goes on',
      async (_, launches) => {
        const { backend, own, start } = await prepared();
        const { best, prepare } = own(!launches);
        await prepare();
        await best.start();
        const stopped = start(launches);
        const refreshing = best.refresh();
        await work(stopped, 2);
        stopped.process.kill('SIGSTOP');
        const other = start(launches);
        rest(other).catch(() => {});
        const attempt = launches ? 2 : 1;
        expect(await refreshing).toMatchObject({ status: 'succeeded', attempt, result: { entries } });
        stopped.process.kill('SIGCONT');
        stopped.process.send('go on');
        expect(await stopped.next()).toMatchObject({ what: 'loaded' });
        stopped.process.send('close');
        while ((await stopped.next()).what !== 'closed');
        expect(await best.versions()).toHaveLength(1);
        expect(await best.history()).toHaveLength(1);
        const { store, ...connected } = connect(backend);
        onTestFinished(() => connected[Symbol.asyncDispose]());
        expect(await keysOf(store)).toEqual([]);
      },
    );
  });
});
