import { once } from 'node:events';
import { Peer } from '@workspace/faults';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { run } from '../../../../src/conformance/steps.ts';
import { context, counts, fill, lowerHalf, names, type TwoShards, twoShards } from '../../shards.ts';
import type { Settings } from './dropping-process.ts';

const [mine, ...more] = names(5, 'lower');
const [other] = names(1, 'upper');

vi.setConfig({ testTimeout: 180_000 });

describe('a coordinator that is killed when it has dropped the fence at one table, and not at the next', () => {
  let shards: TwoShards;
  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());

  /** At `one`, those of rows: they stand at two tables. */
  const fenced = async (name: string) => {
    const { rows } = await shards.one.query(
      'SELECT DISTINCT tgrelid::regclass::text AS at FROM pg_trigger WHERE tgname LIKE $1 ORDER BY 1',
      [`zz_ashlar_${name}_a_b%`],
    );
    return rows.map(({ at }) => at as string);
  };

  async function killed(ends: Settings['ends']) {
    const name = `dropping_${ends}`;
    const [one, two] = shards.servers;
    const replication = (port: number) => `host=127.0.0.1 port=${port} user=postgres dbname=postgres`;
    const drop = `DROP TRIGGER IF EXISTS zz_ashlar_${name}_a_bi`;
    const peer = new Peer(new URL('./dropping-process.ts', import.meta.url), {
      urls: { one: one.url, two: two.url },
      replication: { one: replication(one.port), two: replication(two.port) },
      move: name,
      ends,
      dies: { at: `${drop} ON purchase|^DROP TRIGGER .*${drop} ON purchase`, n: 1, when: 'before' },
    } satisfies Settings);
    await once(peer.process, 'exit');
    expect(peer.process.signalCode).toBe('SIGKILL');
    expect(await fenced(name)).toEqual(['purchase']);
    return lowerHalf(name);
  }

  it('leaves the rows of a move that is undone to be written, and another ends it', async () => {
    await fill(shards.one, [mine!, ...more, other!], 2);
    await run(shards.moves(), lowerHalf('dropping_abort'), { to: 'recheck' });
    const move = await killed('abort');
    await shards.one.query('UPDATE customer SET name = id; UPDATE purchase SET total = total + 1');
    await shards.moves().abort(move, context(3n));
    expect(await fenced(move.id)).toEqual([]);
    for (const shard of ['one', 'two']) expect(await shards.moves().leaks(shard, [])).toEqual([]);
    expect(await counts(shards.one)).toEqual({ customers: 6, purchases: 12 });
    expect(await counts(shards.two)).toEqual({ customers: 0, purchases: 0 });
  });

  it('leaves the rows of a move that is finished refused at both tables, and another ends it', async () => {
    const moves = shards.moves();
    await run(moves, lowerHalf('dropping_finish'));
    const move = await killed('finish');
    const refuse = async () => {
      for (const insert of [
        `INSERT INTO customer VALUES ('${mine}', 'late')`,
        `INSERT INTO purchase (customer, total) VALUES ('${mine}', 1)`,
      ])
        await expect(shards.one.query(insert), insert).rejects.toMatchObject({ code: 'AS409' });
    };
    await refuse();
    await shards.one.query(`INSERT INTO purchase (customer, total) VALUES ('${other}', 1)`);
    await shards.moves().finish(move, context(3n));
    expect(await fenced(move.id)).toEqual([]);
    await refuse();
    for (const shard of ['one', 'two']) expect(await shards.moves().leaks(shard, [])).toEqual([]);
    await shards.two.query('UPDATE customer SET name = id; UPDATE purchase SET total = total + 1');
    expect(await counts(shards.two)).toEqual({ customers: 5, purchases: 10 });
  });
});
