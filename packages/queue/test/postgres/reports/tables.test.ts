import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { PostgresDriverOptions } from '../../../src/adapters/postgres.ts';
import { group, message, Reader, send, times, topic } from '../../../src/conformance/subject.ts';
import { messages, Queue } from '../../../src/index.ts';
import { QueueTables } from '../queue-tables.ts';

/** What users of queues over PostgreSQL have reported of tables, schemas and large numbers of rows, tried here. */

const soon = { withinMs: 20_000 };
const tableNames = ['groups', 'jobs', 'ids', 'throttles', 'buckets'];

describeWith('postgres', 'reports of tables', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  async function begin(options: Partial<PostgresDriverOptions> = {}) {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver({ pollMs: 50, ...options });
    await driver.migrate();
    return { tables, driver };
  }

  const all = ({ prefix }: QueueTables) => tableNames.map(name => `${prefix}_${name}`).join(', ');

  it.each([
    ['emptied', (tables: QueueTables) => `TRUNCATE ${all(tables)}`],
    ['emptied, and count from 1 again', (tables: QueueTables) => `TRUNCATE ${all(tables)} RESTART IDENTITY`],
    ['dropped and made again', (tables: QueueTables) => `DROP TABLE ${all(tables)}`],
  ])(
    'consumers go on, each with its own messages, when the tables are %s under them (bensheldon/good_job 887, 1024pix/pix 8155)',
    async (_, clear) => {
      const { tables, driver } = await begin();
      const queue = new Queue(driver, { messages: messages<Record<string, string>>() });
      const got: string[] = [];
      for (const name of ['a', 'b', 'c']) {
        await using _ = await queue.subscribe(name, text => void got.push(`${name} ${text}`));
      }
      await using _a = await queue.subscribe('a', text => void got.push(`a ${text}`));
      await using _b = await queue.subscribe('b', text => void got.push(`b ${text}`));
      await queue.publish('a', 'before');
      await queue.publish('b', 'before');
      await eventually(async () => expect(got.toSorted()).toEqual(['a before', 'b before']), soon);
      await tables.sql(clear(tables));
      // As the next test of a suite does, and in another order
      await driver.migrate();
      for (const name of ['b', 'a']) await driver.declare(name, 'default');
      got.length = 0;
      for (let n = 0; n < 5; n++) {
        await queue.publish('a', `of a ${n}`);
        await queue.publish('b', `of b ${n}`);
      }
      await eventually(async () => expect(got).toHaveLength(10), soon);
      expect(got.toSorted()).toEqual([...times(5, n => `a of a ${n}`), ...times(5, n => `b of b ${n}`)]);
      expect(await queue.stats('a')).toMatchObject({ waiting: 0, dead: 0 });
    },
  );

  it('names of tables and schemas may have any letters (riverqueue/river 1170)', async () => {
    const schema = `Ära "${process.pid}"; --`;
    const { tables } = await begin();
    await tables.sql(`CREATE SCHEMA "${schema.replaceAll('"', '""')}"`);
    const driver = tables.driver({ prefix: `${schema}.Jöbs'` });
    onTestFinished(async () => {
      await tables.sql(`DROP SCHEMA "${schema.replaceAll('"', '""')}" CASCADE`);
    });
    await driver.migrate();
    await driver.migrate();
    await driver.declare(topic, group);
    await using reader = new Reader(driver, topic, group, { ordered: true, each: each => each.ack() });
    await send(driver, topic, message('1', { key: 'k' }));
    await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
  });

  it('a schema that is not there is named by the error (timgit/pg-boss 793)', async () => {
    const { tables } = await begin();
    const driver = tables.driver({ prefix: 'nowhere.queue' });
    await expect(driver.migrate()).rejects.toThrow(/schema "nowhere" does not exist/);
    await tables.sql('CREATE SCHEMA nowhere');
    onTestFinished(async () => void (await tables.sql('DROP SCHEMA nowhere CASCADE')));
    await driver.migrate();
    await driver.declare(topic, group);
  });

  it('dead letters of any number are sent again and deleted, within the time of a statement each (oban-bg/oban 514, riverqueue/river 575)', async () => {
    const { tables } = await begin();
    const driver = tables.driver({ timeoutMs: 2_000 });
    await driver.declare(topic, group);
    const count = 2_000;
    const [{ grp }] = (await tables.sql(`SELECT grp FROM ${tables.prefix}_groups`)) as [{ grp: number }];
    const bury = () =>
      tables.sql(
        `INSERT INTO ${tables.prefix}_jobs (grp, id, state, priority, pos, lane, at, reason, headers, body)
          SELECT $1, 'dead ' || n, 3, 0, pg_current_xact_id(), '', now() - n * interval '1 second', 'no', '{}', ''
          FROM generate_series(1, $2) AS n`,
        [grp, count],
      );
    await bury();
    // A row that costs as much as hundreds on a slow server
    await tables.sql(`CREATE FUNCTION ${tables.prefix}_slow() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_sleep(0.001); RETURN coalesce(new, old); END $$`);
    onTestFinished(async () => void (await tables.sql(`DROP FUNCTION ${tables.prefix}_slow CASCADE`)));
    await tables.sql(`CREATE TRIGGER slow BEFORE UPDATE OR DELETE ON ${tables.prefix}_jobs
      FOR EACH ROW WHEN (old.state = 3) EXECUTE FUNCTION ${tables.prefix}_slow()`);
    expect(await driver.redrive!(topic, group, { limit: 10 })).toBe(10);
    expect(await driver.redrive!(topic, group, {})).toBe(count - 10);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: count, dead: 0 });
    await tables.sql(`UPDATE ${tables.prefix}_jobs SET state = 3, at = now()`);
    expect(await driver.purge!(topic, group, { limit: 600 })).toBe(600);
    expect(await driver.purge!(topic, group, {})).toBe(count - 600);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, dead: 0 });
  });
});
