import { eventually, type Postgres, startPostgres, startTcpProxy, type TcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { group, message, Reader, send, times, topic } from '../../../src/conformance/subject.ts';
import { QueueTables } from '../queue-tables.ts';
import { type Meddle, meddled, silence } from './meddled-pool.ts';

const never = 600_000;
const soon = { withinMs: 20_000 };

const claims = { plain: /^WITH picked/, keyed: /^WITH RECURSIVE/ };
const publishes = /INSERT INTO \S+_jobs/;

describeWith('postgres', 'statements of postgresDriver that are lost on their way', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  async function begin() {
    const tables = new QueueTables(server.url);
    const ways: TcpProxy[] = [];
    const pools: pg.Pool[] = [];
    const newPool = (config: pg.PoolConfig) => {
      const pool = new pg.Pool(config);
      pool.on('error', () => {});
      pools.push(pool);
      return pool;
    };
    onTestFinished(async () => {
      for (const way of ways) await way.stop();
      await tables[Symbol.asyncDispose]();
      for (const pool of pools) await pool.end();
    });
    const driver = tables.driver();
    await driver.migrate();
    await driver.declare(topic, group);
    const listenPool = newPool({ connectionString: server.url });
    /** A driver whose statements somebody meddles with, on a way that can fall silent. */
    const meddledDriver = async (meddle: (way: TcpProxy) => Meddle, timeoutMs = 500) => {
      const way = await startTcpProxy({ target: server.port });
      ways.push(way);
      const connectionString = server.url.replace(`:${server.port}/`, `:${way.port}/`);
      const own = newPool({ connectionString, application_name: `${tables.prefix}_far` });
      const pool = meddled(own, meddle(way));
      return { way, far: tables.driver({ pool, listenPool, leaseMs: never, timeoutMs, pollMs: 50 }) };
    };
    /** Resolves when the server has dealt with all that came on the ways, and has ended their sessions. */
    const farIsOver = () =>
      eventually(async () => {
        const text = 'SELECT 1 FROM pg_stat_activity WHERE application_name = $1';
        expect(await tables.sql(text, [`${tables.prefix}_far`])).toEqual([]);
      }, soon);
    return { tables, driver, meddledDriver, farIsOver };
  }

  for (const [kind, ordered] of [
    ['plain', false],
    ['keyed', true],
  ] as const) {
    it(`what a ${kind} claim has taken whose answer is lost comes soon, and uncharged`, async () => {
      const { driver, meddledDriver } = await begin();
      let lost = 0;
      let hasClaimed = false;
      const { far } = await meddledDriver(() => async (text, ask) => {
        const answer = await ask();
        if (claims[kind].test(text)) hasClaimed = answer.rows.some(({ taken }) => taken !== null);
        const isCommitted = hasClaimed && (!ordered || text === 'COMMIT');
        if (isCommitted) hasClaimed = false;
        return isCommitted && ++lost <= 3 ? silence : answer;
      });
      await send(driver, topic, message('1', { key: 'a' }));
      await using reader = new Reader(far, topic, group, { ordered });
      await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
      expect(lost).toBeGreaterThan(3);
      expect(reader.received[0]).toMatchObject({ deliveries: 1, failures: 0 });
      await reader.received[0]!.ack();
      expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, active: 0 });
    });
  }

  it('a consumer by key that falls silent in its claim keeps no other from claiming', async () => {
    const { driver, meddledDriver } = await begin();
    let isSilent = false;
    const { far, way } = await meddledDriver(way => (text, ask) => {
      if (claims.keyed.test(text)) {
        isSilent = true;
        way.stall();
      }
      return ask();
    });
    await using stalled = new Reader(far, topic, group, { ordered: true });
    await eventually(async () => expect(isSilent).toBe(true), soon);
    await using reader = new Reader(driver, topic, group, { ordered: true });
    await send(driver, topic, message('1', { key: 'a' }));
    await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
    expect(stalled.texts).toEqual([]);
    way.resume();
  });

  it('a publish that is lost before its commit has not happened, never will, and holds up no other of its key', async () => {
    const { driver, meddledDriver, farIsOver } = await begin();
    const { far, way } = await meddledDriver(way => (text, ask) => {
      if (publishes.test(text)) way.stall('present');
      return ask();
    });
    const given = message('1', { key: 'a' });
    expect(await far.publish(topic, [given])).toMatchObject([{ ok: false, outcome: 'NotExecuted' }]);
    way.resume();
    await farIsOver();
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0 });
    expect(await driver.publish(topic, [given])).toEqual([{ ok: true }]);
  });

  it('500 messages without keys go in one statement, which may have happened when its answer is lost', async () => {
    const { driver, meddledDriver } = await begin();
    const sent: string[] = [];
    const { far } = await meddledDriver(() => async (text, ask) => {
      const answer = await ask();
      if (!publishes.test(text) && !text.startsWith('BEGIN')) return answer;
      sent.push(text);
      return silence;
    });
    const batch = times(500, n => message(`${n}`));
    expect(await far.publish(topic, batch)).toMatchObject(
      batch.map(() => ({ ok: false, outcome: 'Unknown' })),
    );
    expect(sent).toHaveLength(1);
    const again = await driver.publish(topic, batch);
    expect(again).toEqual(batch.map(() => ({ ok: true, isDuplicate: true })));
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 500 });
  });

  it('a publish whose commit is lost says so, and holds up no other of its key', async () => {
    const { driver, meddledDriver } = await begin();
    let hasPublished = false;
    const { far } = await meddledDriver(way => (text, ask) => {
      if (publishes.test(text)) hasPublished = true;
      if (hasPublished && text === 'COMMIT') way.stall();
      return ask();
    });
    const given = message('1', { key: 'a' });
    expect(await far.publish(topic, [given])).toMatchObject([{ ok: false, outcome: 'Unknown' }]);
    await eventually(async () => expect(await driver.publish(topic, [given])).toEqual([{ ok: true }]), soon);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 1 });
  });

  for (const what of ['redrive', 'purge'] as const) {
    it(`a ${what} whose answer is lost says Unknown, whichever part of it, and the same call does the rest`, async () => {
      const { tables, driver, meddledDriver } = await begin();
      const count = 1_600;
      let commits = 0;
      let lost = 0;
      const { far } = await meddledDriver(
        () => async (text, ask) => {
          const answer = await ask();
          return text === 'COMMIT' && ++commits === lost ? silence : answer;
        },
        5_000,
      );
      await send(driver, topic, ...times(count, n => message(`${n}`)));
      await tables.sql(
        `UPDATE ${tables.prefix}_jobs SET state = 3, at = statement_timestamp(), reason = 'test'`,
      );
      const left = async () => (await driver.stats!(topic, group)).dead;
      for (const [part, remain] of [
        [1, 1_100],
        [2, 100],
      ] as const) {
        commits = 0;
        lost = part;
        await expect(far[what]!(topic, group, {})).rejects.toMatchObject({ outcome: 'Unknown' });
        expect(await left()).toBe(remain);
      }
      lost = 0;
      expect(await far[what]!(topic, group, {})).toBe(100);
      expect(await left()).toBe(0);
    });
  }

  it('a pause that is lost on its way never comes after the resume', async () => {
    const { driver, meddledDriver, farIsOver } = await begin();
    const { far, way } = await meddledDriver(way => (text, ask) => {
      if (/SET paused/.test(text)) way.stall('present');
      return ask();
    });
    await expect(far.pause!(topic, group)).rejects.toMatchObject({ outcome: 'NotExecuted' });
    await driver.resume!(topic, group);
    way.resume();
    await farIsOver();
    await using reader = new Reader(driver, topic, group);
    await send(driver, topic, message('1'));
    await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
  });
});
