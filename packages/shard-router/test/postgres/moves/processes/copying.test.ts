import { once } from 'node:events';
import { Peer } from '@workspace/faults';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { context, counts, fill, lowerHalf, names, type TwoShards, twoShards } from '../../shards.ts';
import type { Settings } from './copying-process.ts';

const lower = names(50, 'lower');
const upper = names(5, 'upper');

/** Where it dies: the target is throttled then, and follows nobody. */
const deaths: readonly Settings['dies'][] = [
  { at: '^CREATE PUBLICATION', n: 1, when: 'before' },
  { at: '^CREATE PUBLICATION', n: 1, when: 'after' },
  { at: '^CREATE SUBSCRIPTION', n: 1, when: 'before' },
];

describe('a coordinator that is killed between the throttle of the copy and its subscription', () => {
  let shards: TwoShards;
  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
    await fill(shards.one, [...lower, ...upper], 10);
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());

  const throttled = "SELECT FROM pg_trigger WHERE tgname LIKE 'zz_ashlar_%_th'";

  async function killed(name: string, dies: Settings['dies']) {
    const [one, two] = shards.servers;
    const replication = (port: number) => `host=127.0.0.1 port=${port} user=postgres dbname=postgres`;
    const peer = new Peer(new URL('./copying-process.ts', import.meta.url), {
      urls: { one: one.url, two: two.url },
      replication: { one: replication(one.port), two: replication(two.port) },
      move: name,
      dies,
    } satisfies Settings);
    await once(peer.process, 'exit');
    expect(peer.process.signalCode).toBe('SIGKILL');
    expect((await shards.two.query(throttled)).rows).toHaveLength(2);
    expect((await shards.two.query('SELECT FROM pg_subscription')).rows).toEqual([]);
    return lowerHalf(name);
  }

  async function leavesNothing() {
    for (const shard of ['one', 'two']) expect(await shards.moves().leaks(shard, [])).toEqual([]);
    expect(await counts(shards.two)).toEqual({ customers: 0, purchases: 0 });
    await shards.one.query('UPDATE customer SET name = name');
  }

  it.each(deaths)(
    'is undone by another: $when $at',
    async dies => {
      const move = await killed(`undone_${deaths.indexOf(dies)}`, dies);
      await shards.moves().abort(move, context(2n));
      await leavesNothing();
    },
    120_000,
  );

  it.each(deaths)(
    'is followed by another, who goes on at its own pace: $when $at',
    async dies => {
      const move = await killed(`goes_on_${deaths.indexOf(dies)}`, dies);
      // A worker notes that it would have paused
      await shards.two.query(`CREATE TABLE pauses (seconds float8);
      CREATE OR REPLACE FUNCTION ashlar_shards.pause(seconds float8) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO public.pauses VALUES (seconds)'`);
      const moves = shards.moves({ share: 1 });
      await moves.copy(move, context(2n));
      expect((await shards.two.query('SELECT FROM pauses')).rows).toEqual([]);
      expect((await shards.two.query(throttled)).rows).toEqual([]);
      expect(await moves.verify(move, context(2n))).toMatchObject({ differences: [] });
      expect(await counts(shards.two)).toEqual({ customers: 50, purchases: 500 });
      await moves.abort(move, context(2n));
      await shards.two.query('DROP TABLE pauses');
      await leavesNothing();
    },
    120_000,
  );
});
