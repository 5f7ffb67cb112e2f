import { randomUUID } from 'node:crypto';
import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { redisTier } from '../../src/adapters/redis.ts';
import { observe, patient } from '../support/redis/sessions.ts';
import { entry } from '../support/tiers.ts';

const modes = ['pubsub', 'tracking'] as const;

/** What a program that is no cache may publish with the epoch of the history, and its last number n. */
const messages: readonly (readonly [string, (epoch: string, n: number) => unknown])[] = [
  ['a position far ahead', (epoch, n) => [epoch, n + 1e6, 'x', 'keys', ['other']]],
  ['the greatest position', epoch => [epoch, Number.MAX_SAFE_INTEGER, 'x', 'quiet?', []]],
  ['a position beyond all', epoch => [epoch, 1e300, 'x', 'keys', []]],
  ['a position that is no number', epoch => [epoch, 'nine', 'x', 'keys', []]],
  ['a position that is nothing', epoch => [epoch, null, 'x', 'keys', []]],
  ['a fraction', (epoch, n) => [epoch, n + 0.5, 'x', 'keys', []]],
  ['another history', (_, n) => ['forged', n + 7, 'x', 'keys', []]],
  ['a history that is no string', (_, n) => [5, n + 1, 'x', 'keys', []]],
  ['names that are none', (epoch, n) => [epoch, n + 1e6, 'x', 'keys', [5, null]]],
];

describeWith('redis', 'a message that no cache published', () => {
  let server: Server;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  for (const mode of modes) {
    it.each(messages)(`does not stop invalidation, ${mode}: %s`, async (_, forge) => {
      const prefix = randomUUID();
      const tier = () => {
        const redis = new Redis({ port: server.port, lazyConnect: true });
        return redisTier({ redis, prefix, invalidation: mode, boundMs: 100 });
      };
      const [reader, writer] = [await observe(tier()), await observe(tier())];
      await writer.session.write(new Map([['first', entry('1')]]));
      await reader.sees('first');
      const [epoch, n] = await admin.hmget(`{${prefix}}:cache:meta`, 'epoch', 'seq');
      const text = JSON.stringify(forge(epoch!, Number(n)));
      if (mode === 'pubsub') await admin.publish(`{${prefix}}:cache:feed`, text);
      else await admin.set(`{${prefix}}:cache:v!9999999999999999${text}`, '');
      reader.events.length = 0;
      let writes = 0;
      const isNotified = async () => {
        await writer.session.write(new Map([[`key ${writes++}`, entry('1')]]));
        return reader.events.some(event => event.startsWith('key'));
      };
      await expect.poll(isNotified, patient).toBe(true);
    });
  }
});
