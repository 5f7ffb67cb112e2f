import { type RedisCluster, startRedisCluster } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisSlot } from '../../src/compat/index.ts';
import { sampleKeys } from './support/keys.ts';
import { pipelined } from './support/pipeline.ts';

/** Of the specification, and of Redis 7.0.15. */
const known: Readonly<Record<string, number>> = {
  '123456789': 12739,
  somekey: 11058,
  'foo{hash_tag}': 2515,
  '{}x': 10595,
  'a{}b{c}': 7353,
  'a{{b}}c': 6215,
  'a{b}{c}': 3300,
  '}{a}': 15495,
  '{': 4092,
  '}': 12090,
  '': 0,
  'é{ü}': 9552,
  'x{y': 2740,
  '{user1000}.following': 3443,
};

describe('redisSlot', () => {
  it('gives the known slots', () => {
    for (const [key, slot] of Object.entries(known)) {
      expect([key, redisSlot(key)]).toEqual([key, slot]);
      expect([key, redisSlot(Buffer.from(key))]).toEqual([key, slot]);
    }
  });

  it('keeps keys of one tag together', () => {
    expect(redisSlot('{user1000}.followers')).toBe(redisSlot('{user1000}.following'));
  });
});

describeWith({ own: 'redis' }, 'redisSlot and CLUSTER KEYSLOT', () => {
  let redis: RedisCluster;

  beforeAll(async () => {
    redis = await startRedisCluster({ nodes: 1 });
  });
  afterAll(() => redis?.stop());

  it('agree', async () => {
    const keys = [...Object.keys(known), ...sampleKeys(3_000, 5, 1_000)];
    const requests = keys.map(key => {
      const length = Buffer.byteLength(key);
      return Buffer.from(`*3\r\n$7\r\nCLUSTER\r\n$7\r\nKEYSLOT\r\n$${length}\r\n${key}\r\n`);
    });
    const slots = await pipelined(redis.nodes[0]!.port, requests, /:(\d+)\r\n/);
    expect(keys.map(key => `${key}: ${redisSlot(key)}`)).toEqual(keys.map((key, i) => `${key}: ${slots[i]}`));
  });
});
