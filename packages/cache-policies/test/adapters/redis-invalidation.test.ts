import { randomUUID } from 'node:crypto';
import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RedisInvalidation, type RedisTierOptions, redisTier } from '../../src/adapters/redis.ts';
import type { RemoteTier } from '../../src/index.ts';
import { connections, observe, patient } from '../support/redis/sessions.ts';
import { entry } from '../support/tiers.ts';

const modes = ['pubsub', 'tracking'] as const;
/** So long that no check is made in the course of a test, but for those at its beginning. */
const longMs = 600_000;

describeWith('redis', 'how changes are told by Redis', () => {
  let server: Server;
  let admin: Redis;
  let prefix: string;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
    admin.on('error', () => {});
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });
  beforeEach(async () => {
    prefix = randomUUID();
    await expect.poll(() => connections(admin, 'operating'), patient).toEqual([]);
  });

  function tierOf(invalidation: RedisInvalidation, options: Partial<RedisTierOptions> = {}): RemoteTier {
    const redis = new Redis({ port: server.port, lazyConnect: true });
    return redisTier({ redis, prefix, invalidation, boundMs: longMs, ...options });
  }

  describe.each(modes)('%s', mode => {
    const tier = (options?: Partial<RedisTierOptions>) => tierOf(mode, options);
    const pair = async () => [await observe(tier()), await observe(tier())] as const;

    it.each(['operating', 'subscribing'] as const)(
      'begins anew when the connection that is %s was killed',
      async which => {
        const [a, b] = await pair();
        for (let round = 0; round < 3; round++) {
          for (const id of await connections(admin, which)) await admin.client('KILL', 'ID', id);
          for (const { events, sees } of [a, b]) {
            await sees('connected');
            expect(events).toEqual(['disconnected', 'reconnected', 'connected']);
          }
          await a.session.write(new Map([['key', entry('1')]]));
          await b.sees('key');
          await a.session.invalidateTags(['tag']);
          await b.sees('tag');
          expect(a.events).toHaveLength(3);
          for (const { events } of [a, b]) events.length = 0;
        }
      },
    );

    it('begins anew when Redis was restarted, empty', async () => {
      const [a, b] = await pair();
      await a.session.write(new Map([['key', entry('1')]]));
      await server.restart();
      for (const { events, sees } of [a, b]) {
        await sees('connected');
        expect(events.slice(-3)).toEqual(['disconnected', 'reconnected', 'connected']);
      }
      expect(await b.session.read(['key'])).toEqual([{}]);
      await b.session.invalidate(['other']);
      await a.sees('other');
    });

    it('tells both of two that change a key at once', async () => {
      const [a, b] = await pair();
      for (let round = 0; round < 5; round++) {
        const key = `key-${round}`;
        await a.session.write(new Map([[key, entry('0')]]));
        await b.sees(key);
        for (const { events } of [a, b]) events.length = 0;
        await server.pause();
        const changes = Promise.all([
          a.session.write(new Map([[key, entry('1')]])),
          b.session.announce([key], 1),
        ]);
        await server.resume();
        await changes;
        await Promise.all([a.sees(key), b.sees(key)]);
      }
    });

    it('reads what others left where its values are as if nothing were there', async () => {
      const { session } = await observe(tier());
      const junk = ['', 'junk', '\n', '{}\n', '[1]\nx', 'null\n', '3\n'];
      for (const [i, value] of junk.entries()) await admin.set(`{${prefix}}:cache:v:${i}`, value);
      await admin.rpush(`{${prefix}}:cache:v:list`, 'x');
      await admin.rpush(`{${prefix}}:cache:l:leased`, 'x');
      const keys = [...junk.map((_, i) => String(i)), 'list', 'leased'];
      const reads = await session.read(keys, { leaseMs: 60_000 });
      expect(reads.map(({ entry: found, lease }) => [found, typeof lease])).toEqual(
        keys.map(() => [undefined, 'string']),
      );
      const fills = keys.map((key, i) => ({ key, lease: reads[i]!.lease!, entry: entry(key) }));
      expect(await session.fill(fills)).toEqual(keys.map(() => true));
    });
  });

  it('the changes of the other sort are found by the next check: a reset', async () => {
    const boundMs = 100;
    const [a, b] = [
      await observe(tierOf('pubsub', { boundMs })),
      await observe(tierOf('tracking', { boundMs })),
    ];
    for (const [from, to] of [[a, b] as const, [b, a] as const]) {
      to.events.length = 0;
      await from.session.invalidate(['key']);
      await to.sees('missed');
    }
  });

  describe('tracking', () => {
    const tracking = () => observe(tierOf('tracking'));

    it('tells at once of FLUSHALL and FLUSHDB', async () => {
      const observed = await tracking();
      await admin.flushall();
      await observed.sees('emptied');
      observed.events.length = 0;
      await admin.flushdb();
      await observed.sees('emptied');
    });

    it('tells of what other programs do to values, and of nothing else that they do', async () => {
      const observed = await tracking();
      const value = (key: string) => `{${prefix}}:cache:v:${key}`;
      await observed.session.write(
        new Map([
          ['deleted', entry('1')],
          ['expired', entry('1')],
          ['renamed', entry('1')],
        ]),
      );
      for (const name of [
        `{${prefix}}:cache:v`,
        `{${prefix}}:cache:vx`,
        `{${prefix}}:cache:v!`,
        `{${prefix}}:cache:v!0x`,
        `{${prefix}}:x`,
      ]) {
        await admin.set(name, 'junk');
      }
      await admin.set(`{${prefix}x}:cache:v:other`, 'junk');
      await admin.del(value('deleted'));
      await admin.pexpire(value('expired'), 1);
      await admin.rename(value('renamed'), value('new name, with a comma'));
      await admin.set(value('last'), 'junk');
      await observed.sees('last');
      await expect
        .poll(() => new Set(observed.events), patient)
        .toEqual(new Set(['deleted', 'expired', 'renamed', 'new name, with a comma', 'last']));
      expect(await observed.session.read(['deleted', 'last'])).toEqual([{}, {}]);
    });

    it('tells nobody of fills, of values found to be over, or of what a session did itself', async () => {
      const [a, b] = [await tracking(), await tracking()];
      const [read] = await a.session.read(['key'], { leaseMs: 60_000 });
      const short = { ...entry('1'), freshMs: 20, keepMs: 20 };
      await a.session.fill([{ key: 'key', lease: read!.lease!, entry: short }]);
      await expect.poll(async () => (await a.session.read(['key']))[0]!.entry, patient).toBeUndefined();
      await a.session.write(new Map([['tagged', entry('1', ['tag'])]]));
      await a.session.invalidateTags(['tag']);
      expect(await b.session.read(['tagged'])).toEqual([{}]);
      await a.session.invalidate(['last']);
      await b.sees('last');
      expect(b.events).toEqual(['tagged', 'tag', 'last']);
      await b.session.invalidate(['answer']);
      await a.sees('answer');
      expect(a.events).toEqual(['answer']);
    });

    it('leaves no marks', async () => {
      const { session } = await tracking();
      await session.invalidate(['a', 'b']);
      await session.invalidateTags(['tag']);
      await session.clear();
      expect(await admin.keys(`{${prefix}}:cache:v*`)).toEqual([]);
    });
  });
});
