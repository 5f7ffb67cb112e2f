import { randomUUID } from 'node:crypto';
import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { redisTier } from '../../src/adapters/redis.ts';
import { Cache, type CacheOptions, writeThrough } from '../../src/index.ts';
import { patient } from '../support/redis/sessions.ts';
import { Deaf } from '../support/redis/tiers.ts';
import { SteppingClock } from '../support/stepping-clock.ts';

/** So long that no check is made in the course of a test, unless a connection is lost. */
const boundMs = 600_000;
const serveMs = 60_000;

type Options = Partial<CacheOptions<string, string>>;

describeWith('redis', 'a cache over Redis', () => {
  let server: Server;
  beforeAll(async () => {
    server = await startRedis({ own: true });
  });
  afterAll(() => server.stop());

  /** A source, and caches over it as of several processes, each with a clock of its own. */
  function processes(invalidation: 'pubsub' | 'tracking') {
    const prefix = randomUUID();
    const rows = new Map<string, string>();
    const start = async (options: Options = {}) => {
      const redis = new Deaf({ port: server.port, lazyConnect: true });
      const clock = new SteppingClock();
      const remote = redisTier({ redis, prefix, invalidation, boundMs, clock, timeoutMs: 300 });
      const load = async (key: string) => rows.get(key);
      const cache = new Cache<string, string>({ max: 100, remote, clock, load, leaseWaitMs: 0, ...options });
      onTestFinished(() => cache.close().catch(() => {}));
      const isConnected = (connected: boolean) =>
        expect
          .poll(() => cache.snapshot().remote, patient)
          .toMatchObject({ connected, session: { connected } });
      await isConnected(true);
      return { cache, clock, isConnected };
    };
    const write = writeThrough<string, string>({
      write: async (key, value) => void (value === undefined ? rows.delete(key) : rows.set(key, value)),
    });
    return { rows, start, write };
  }

  const modes = ['pubsub', 'tracking'] as const;
  const ways = [
    ['killed', () => server.kill(), () => server.restart()],
    ['paused', () => server.pause(), () => server.resume()],
  ] as const;

  describe.each(modes)('told by %s', mode => {
    it.each(ways)(
      'while Redis is %s goes on as `onDisconnect` says, and comes back by itself',
      async (_, leave, back) => {
        const { rows, start, write } = processes(mode);
        const [writer, bypass, serving] = [
          await start({ write }),
          await start({ onDisconnect: 'bypass' }),
          await start({ onDisconnect: { serveMs } }),
        ];
        const all = [writer, bypass, serving];
        for (const key of ['x', 'y']) rows.set(key, 'old');
        for (const { cache } of all) {
          for (const key of rows.keys()) {
            await expect.poll(() => cache.get(key).then(() => cache.peek(key)), patient).toBe('old');
          }
        }

        await leave();
        let isAway = true;
        onTestFinished(async () => {
          if (isAway) await back();
        });
        expect(await Promise.all(all.map(({ cache }) => cache.get('none')))).toEqual(
          all.map(() => undefined),
        );
        for (const { isConnected } of all) await isConnected(false);

        // a write reaches its source, and says that the others were not told
        const untold = { code: 'ASHLAR_CACHE_POLICIES_WRITE', outcome: 'Executed' };
        await Promise.all([
          expect(writer.cache.set('x', 'new')).rejects.toMatchObject(untold),
          expect(writer.cache.delete('y')).rejects.toMatchObject(untold),
          expect(bypass.cache.set('z', 'new')).rejects.toMatchObject({
            code: untold.code,
            outcome: 'NotExecuted',
          }),
          expect(bypass.cache.delete('z')).rejects.toMatchObject({
            code: untold.code,
            outcome: 'NotExecuted',
          }),
        ]);
        expect([...rows]).toEqual([['x', 'new']]);
        for (const key of ['x', 'y', 'z']) expect(await writer.cache.get(key)).toBe(rows.get(key));
        expect(await bypass.cache.get('z')).toBeUndefined();

        // the others serve what they hold for as long as they may
        for (const { cache } of [bypass, serving])
          expect([cache.peek('x'), cache.peek('y')]).toEqual(['old', 'old']);
        for (const { clock } of [bypass, serving]) clock.jump(boundMs);
        expect(bypass.cache.peek('x')).toBeUndefined();
        expect(serving.cache.peek('x')).toBe('old');
        serving.clock.jump(serveMs);
        expect(serving.cache.peek('x')).toBeUndefined();
        for (const { cache } of [bypass, serving]) {
          expect([await cache.get('x'), await cache.get('x'), await cache.get('y')]).toEqual([
            'new',
            'new',
            undefined,
          ]);
        }

        // what is loaded meanwhile is kept for a while, or not at all
        expect([bypass.cache.peek('x'), serving.cache.peek('x')]).toEqual([undefined, 'new']);
        serving.clock.jump(serveMs + 1);
        expect(serving.cache.peek('x')).toBeUndefined();

        await back();
        isAway = false;
        for (const { isConnected } of all) await isConnected(true);
        for (const { cache } of [writer, bypass]) {
          await expect
            .poll(() => cache.snapshot().remote, patient)
            .toMatchObject({ pendingInvalidations: 0 });
        }
        for (const { cache } of all) {
          expect([await cache.get('x'), await cache.get('y')]).toEqual(['new', undefined]);
          await expect.poll(() => cache.get('x').then(() => cache.peek('x')), patient).toBe('new');
        }
        const setNewest = () =>
          writer.cache.set('x', 'newest').then(
            () => true,
            () => false, // a busy machine may miss the time limit
          );
        await expect.poll(setNewest, patient).toBe(true);
        for (const { cache } of [bypass, serving])
          await expect.poll(() => cache.peek('x'), patient).toBeUndefined();
        for (const { cache } of all) expect(await cache.get('x')).toBe('newest');
      },
    );

    it('that could not reach Redis from the first goes on, and finds it later', async () => {
      await server.kill();
      const { rows, start } = processes(mode);
      rows.set('x', 'old');
      const starting = start();
      await server.restart();
      const { cache } = await starting;
      expect(await cache.get('x')).toBe('old');
      await expect.poll(() => cache.peek('x'), patient).toBe('old');
    });

    it.each(['bypass', { serveMs: 10 * boundMs }] as const)(
      'that was stopped serves nothing old when it goes on: %j',
      async onDisconnect => {
        const { rows, start, write } = processes(mode);
        const writer = await start({ write });
        const others = new Set(Deaf.all);
        const stopped = await start({ onDisconnect });
        const clients = [...Deaf.all].filter(client => !others.has(client));
        onTestFinished(() => {
          for (const client of clients) client.isDeaf = false;
        });
        rows.set('x', 'old');
        await expect
          .poll(() => stopped.cache.get('x').then(() => stopped.cache.peek('x')), patient)
          .toBe('old');
        // it takes nothing that arrives, and makes no check
        for (const client of clients) client.isDeaf = true;
        await writer.cache.set('x', 'new');
        expect(stopped.cache.peek('x')).toBe('old');
        stopped.clock.jump(boundMs);
        expect(stopped.cache.peek('x')).toBeUndefined();
        expect(await stopped.cache.get('x')).toBe('new');
      },
    );
  });
});
