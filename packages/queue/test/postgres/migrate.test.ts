import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { tablesRule } from '../../src/adapters/postgres/tables.ts';
import { group, message, Reader, send, topic } from '../../src/conformance/subject.ts';
import { QueueTables } from './queue-tables.ts';

/** Tables as versions made them that knew neither what priorities a group has, nor who took what has a key. */
function earlierTables(prefix: string): string {
  const { groups, jobs, ids, throttles, buckets } = tablesRule(prefix, 'prefix');
  return `CREATE TABLE ${groups} (
  grp integer GENERATED ALWAYS AS IDENTITY UNIQUE, topic text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL,
  paused boolean NOT NULL DEFAULT false, PRIMARY KEY (topic, name));
CREATE TABLE ${jobs} (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  grp integer NOT NULL, id text COLLATE "C" NOT NULL, state smallint NOT NULL, priority smallint NOT NULL,
  pos xid8 NOT NULL, lane text COLLATE "C" NOT NULL, at timestamptz, expires timestamptz, dedup text COLLATE "C",
  token integer NOT NULL DEFAULT 0, deliveries integer NOT NULL DEFAULT 0, failures integer NOT NULL DEFAULT 0,
  pauses boolean NOT NULL DEFAULT false, reason text, headers text NOT NULL, body bytea NOT NULL,
  progress bytea, result bytea);
CREATE TABLE ${ids} (name uuid PRIMARY KEY, at timestamptz NOT NULL);
CREATE TABLE ${throttles} (grp integer NOT NULL, dedup text COLLATE "C" NOT NULL, until timestamptz NOT NULL, PRIMARY KEY (grp, dedup));
CREATE TABLE ${buckets} (grp integer NOT NULL, lane text COLLATE "C" NOT NULL, fullat timestamptz NOT NULL, PRIMARY KEY (grp, lane));
CREATE UNIQUE INDEX ${prefix}_unique ON ${jobs} (id, (grp + 0));
CREATE INDEX ${prefix}_busy ON ${jobs} (grp, lane, at) WHERE lane <> '' AND (state = 2 OR pauses);
INSERT INTO ${groups} (topic, name) VALUES ('${topic}', '${group}');
INSERT INTO ${jobs} (grp, id, state, priority, pos, lane, at, token, deliveries, headers, body) SELECT grp, id, state, priority,
  pg_current_xact_id(), lane, CASE WHEN state = 2 THEN now() + interval '1 hour' END, 1, CASE WHEN state = 2 THEN 1 ELSE 0 END,
  '{"content-type":"text/plain"}', convert_to(id, 'UTF8')
  FROM ${groups}, (VALUES ('in hands', 2, 0, 'ka'), ('behind it', 0, 0, 'ka'), ('urgent', 0, 5, 'kb')) AS of (id, state, priority, lane)`;
}

describeWith('postgres', 'tables that an earlier version of postgresDriver has made', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  it('are migrated, by many at once, with the messages in them and the order of their keys', async () => {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    await tables.sql(earlierTables(tables.prefix));
    const [driver, other] = [tables.driver(), tables.driver()];
    await Promise.all([driver.migrate(), other.migrate()]);
    await other.migrate();
    await using reader = new Reader(driver, topic, group, { ordered: true });
    const has = (count: number) => reader.has({} as Parameters<Reader['has']>[0], count);
    await has(1);
    await send(driver, topic, message('last', { key: 'c' }));
    await has(2);
    expect(reader.texts).toEqual(['urgent', 'last']);
    expect(reader.received[0]).toMatchObject({ key: 'b', headers: { 'content-type': 'text/plain' } });
    expect(await other.cancel!(topic, group, 'in hands')).toBe(true);
    await has(3);
    expect(reader.texts.at(-1)).toBe('behind it');
  });
});
