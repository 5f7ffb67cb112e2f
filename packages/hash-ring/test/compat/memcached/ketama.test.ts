import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { seededRandom } from '@ashlar/core';
import { freePorts, providePath, temporaryDirectory } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type KetamaOptions,
  ketama,
  type LibmemcachedHash,
  type SystemNode,
} from '../../../src/compat/index.ts';
import { libmemcachedHashes } from '../../../src/compat/memcached/hashes.ts';
import { sampleKeys } from '../support/keys.ts';
import { misplaced } from '../support/misplaced.ts';

const run = promisify(execFile);
const keys = sampleKeys(2_000, 3);

/** `memcached_hash_t` */
const numbers: Readonly<Record<LibmemcachedHash, number>> = {
  one_at_a_time: 0,
  md5: 1,
  crc32: 2,
  fnv1_64: 3,
  fnv1a_64: 4,
  fnv1_32: 5,
  fnv1a_32: 6,
  murmur: 8,
  jenkins: 9,
  murmur3: 10,
};
const hashes = Object.keys(numbers) as LibmemcachedHash[];

const servers = (count: number, port = 8080) =>
  Array.from({ length: count }, (_, i) => ({ id: `10.0.${i >> 8}.${i & 255}:${port}` }));
const weigh = (nodes: readonly SystemNode[], weights: readonly number[]) =>
  nodes.map((node, i) => ({ ...node, weight: weights[i]! }));

describeWith(['cc', 'libmemcached'], 'ketama and libmemcached', () => {
  let directory: string;
  let program: string;

  beforeAll(async () => {
    directory = temporaryDirectory('libmemcached');
    program = join(directory, 'libmemcached');
    const source = join(import.meta.dirname, 'libmemcached.c');
    await run(await providePath('cc'), [source, '-o', program, '-lmemcached', '-lhashkit']);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  async function printed(args: readonly string[]): Promise<string[]> {
    const child = run(program, args, { maxBuffer: 2 ** 24 });
    child.child.stdin?.end(keys.map(key => `${key}\n`).join(''));
    return (await child).stdout.trim().split('\n');
  }

  async function ownersOf(nodes: readonly SystemNode[], flags: string, hash = '-'): Promise<string[]> {
    const listed = nodes.flatMap(({ id, weight = 1, down }) => {
      const [, host = id, port = '11211'] = /^([^/]*):(\d+)$/.exec(id) ?? [];
      return [`${down ? '!' : ''}${host}`, port, String(weight)];
    });
    return (await printed(['place', flags, hash, ...listed])).map(index => nodes[Number(index)]!.id);
  }

  async function check(nodes: readonly SystemNode[], options: KetamaOptions, flags: string): Promise<void> {
    const hash = options.hash === undefined ? '-' : String(numbers[options.hash]);
    expect(misplaced(ketama(nodes, options), keys, await ownersOf(nodes, flags, hash))).toEqual([]);
  }

  describe('hash alike', () => {
    for (const hash of hashes) {
      it(hash, async () => {
        const hashed = keys.map(key => libmemcachedHashes[hash](Buffer.from(key), Buffer.byteLength(key)));
        expect(hashed.map(String)).toEqual(await printed(['hash', String(numbers[hash])]));
      });
    }
  });

  describe('place alike', () => {
    it('equal weights', () => check(servers(5), {}, 'w'));
    it('weights', () => check(weigh(servers(5), [1, 3, 2, 1, 7]), {}, 'w'));
    it('weights up to 2^32 - 1', () =>
      check(weigh(servers(3), [2 ** 32 - 1, 2 ** 31 + 129, 16777217]), {}, 'w'));
    it('weights that a float does not hold', () =>
      check(weigh(servers(5), Array(5).fill(2 ** 24 + 1)), {}, 'w'));
    it('weights too light for a point', () => check(weigh(servers(4), [1, 9_000, 1, 5_000]), {}, 'w'));
    it('one server', () => check(servers(1), {}, 'w'));
    it('the port that is not hashed, names, paths', () =>
      check(
        [{ id: '10.0.0.1:11211' }, { id: 'cache.example' }, { id: '/run/memcached.sock' }, { id: 'b:11212' }],
        {},
        'w',
      ));

    it('60 random sets of weights', async () => {
      const random = seededRandom(60);
      for (let set = 0; set < 60; set++) {
        const count = 2 + Math.floor(random() * 20);
        const most = 10 ** (1 + Math.floor(random() * 6));
        const weights = Array.from({ length: count }, () => 1 + Math.floor(random() * most));
        await check(weigh(servers(count, 9000 + set), weights), {}, 'w');
      }
    });

    it('numbers of servers at which doubles round otherwise', async () => {
      for (const count of [7, 14, 25, 28, 47, 50, 61, 100]) await check(servers(count), {}, 'w');
    });

    it('another hash for the keys', async () => {
      for (const hash of hashes) await check(weigh(servers(4), [1, 2, 3, 4]), { hash }, 'w');
    });

    it('unweighted, KETAMA', () => check(servers(5), { weighted: false }, 'u'));
    it('unweighted, CONSISTENT', () => check(servers(7), { weighted: false }, 'c'));
    it('unweighted, other hashes', async () => {
      for (const hash of hashes) await check(servers(5, 11211), { weighted: false, hash }, 'u');
    });
    it('what libmemcached turns to when a server has a weight', () =>
      check(weigh(servers(5), [1, 3, 2, 1, 7]), { hash: 'one_at_a_time' }, 'u'));

    it('servers that have failed and are ejected', async () => {
      const [deaf] = await freePorts(1);
      const nodes = [1, 2, 3, 4, 5].map(i => ({
        id: `127.83.0.${i}:${deaf}`,
        weight: i,
        down: i === 2 || i === 5,
      }));
      await check(nodes, {}, 'we');
      const even = nodes.map(({ id, down }) => ({ id, down }));
      await check(even, { weighted: false }, 'ue');
    });
  });
});
