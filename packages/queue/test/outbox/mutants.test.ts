import { type Clock, systemClock } from '@ashlar/core';
import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryDriver } from '../../src/index.ts';
import type { PoolClientLike, PoolLike } from '../../src/transactions/pool.ts';
import { OutboxSite, Recorder } from './site.ts';

const soon = { withinMs: 20_000 };

type Statement = { readonly text: string; readonly values?: string[] };
type Ask = (statement: Statement) => Promise<{ rows: Record<string, unknown>[] }>;
/** What a mutant asks the server in place of a statement. */
type Break = (statement: Statement, ask: Ask) => ReturnType<Ask>;

const right: Break = (statement, ask) => ask(statement);

function changedClient(client: PoolClientLike, change: Break): PoolClientLike {
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name !== 'query') return value.bind(target);
      const ask: Ask = statement => target.query(statement);
      return (first: Statement | string, values?: string[]) =>
        change(typeof first === 'string' ? { text: first, ...(values && { values }) } : first, ask);
    },
  });
}

function changed(pool: PoolLike, change: Break): PoolLike {
  return { connect: async () => changedClient(await pool.connect(), change) };
}

describeWith('postgres', 'what an outbox or inbox could do wrong is found', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  /** What arrives of two transactions of which the first commits last. */
  async function interleaved(ofRelay: Break): Promise<number[]> {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { pool: changed(site.pool, ofRelay) });
    const queue = site.queue(driver);
    await driver.migrate();
    await site.transaction(async slow => {
      await queue.publish('order', { n: 1 }, { tx: slow });
      await site.transaction(tx => queue.publish('order', { n: 2 }, { tx }));
      await eventually(async () => expect(recorder.numbers).toEqual([2]), soon);
    });
    await queue.close();
    return recorder.numbers;
  }

  /** What arrives of a row of another process, of which nothing tells, beside one of this. */
  async function ofOthers(ofRelay: Break): Promise<number[]> {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { pool: changed(site.pool, ofRelay) });
    const queue = site.queue(driver);
    await driver.migrate();
    await site.sql(`INSERT INTO ${site.table} (lane, topic, name, body, rest)
      VALUES (0, 'order', 'other', convert_to('{"n":1}', 'UTF8'), '{"headers":{}}')`);
    // In another lane
    await site.transaction(tx => queue.publish('order', { n: 2 }, { tx, key: 'a' }));
    await queue.close();
    return recorder.numbers.sort();
  }

  /** What arrives of two transactions with one key of which the first would commit last. */
  async function sameKey(ofWriter: Break): Promise<number[]> {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver);
    const queue = site.queue(driver);
    await driver.migrate();
    let second: Promise<unknown> | undefined;
    await site.transaction(async client => {
      const first = changedClient(client, ofWriter) as never;
      await queue.publish('order', { n: 1 }, { tx: first, key: 'a' });
      let isOver = false;
      second = site
        .transaction(tx =>
          queue.publish('order', { n: 2 }, { tx: changedClient(tx, ofWriter) as never, key: 'a' }),
        )
        .then(() => {
          isOver = true;
        });
      await eventually(async () => {
        const waiting = await site.sql(`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`);
        expect(isOver || waiting.length > 0).toBe(true);
      }, soon);
      if (isOver) await eventually(async () => expect(recorder.numbers).toEqual([2]), soon);
    });
    await second;
    await queue.close();
    return recorder.numbers;
  }

  /** What arrives when the first relay dies while it publishes. */
  async function diesWhilePublishing(ofRelay: Break): Promise<number[]> {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    let isAsked = false;
    recorder.answer = () => {
      isAsked = true;
      return new Promise(() => {});
    };
    const pool = changed(site.pool, ofRelay);
    const dying = site.driver(recorder.driver, { pool, timeoutMs: 300, drainMs: 0 });
    await dying.migrate();
    await site.transaction(tx => site.queue(dying).publish('order', { n: 1 }, { tx, key: 'a' }));
    await eventually(async () => expect(isAsked).toBe(true), soon);
    await dying[Symbol.asyncDispose]();
    recorder.answer = () => ({ ok: true });
    const heir = site.driver(recorder.driver);
    await heir.migrate();
    await heir[Symbol.asyncDispose]();
    return recorder.numbers;
  }

  /**
   * What arrives when a relay stands still among the messages of a key until the server has dropped it, another relays
   * them and a later one, and the first goes on.
   *
   * @param clockOf the clock of the relay that stood still, from the right one
   */
  async function standsStill(clockOf: (clock: Clock) => Clock): Promise<number[]> {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    let aheadMs = 0;
    let isStill = false;
    let goesOn = false;
    let goOn = () => {};
    recorder.answer = () => {
      if (isStill) return { ok: true };
      isStill = true;
      return new Promise(resolve => {
        goOn = () => {
          goesOn = true;
          resolve({ ok: true });
        };
      });
    };
    const right: Clock = {
      now: () => systemClock.now() + aheadMs,
      // The timers of a process that stands still do not fire
      sleep: (ms, signal) => systemClock.sleep(isStill && !goesOn ? 600_000 : ms, signal),
    };
    const pool = site.newPool({ application_name: `${site.table}_still` });
    pool.on('error', () => {});
    const still = site.driver(recorder.driver, { pool, clock: clockOf(right), drainMs: 0 });
    await still.migrate();
    const writer = site.driver(recorder.driver, { relay: false });
    const queue = site.queue(writer);
    await site.transaction(async tx => {
      for (const n of [1, 2, 3]) await queue.publish('order', { n }, { tx, key: 'a' });
    });
    await eventually(async () => expect(isStill).toBe(true), soon);
    aheadMs = 60_000;
    const drop = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '${site.table}_still'`;
    await site.sql(drop);
    const heir = site.driver(recorder.driver);
    await site.transaction(tx => queue.publish('order', { n: 4 }, { tx, key: 'a' }));
    await eventually(async () => expect(recorder.numbers).toEqual([1, 2, 3, 4]), soon);
    await eventually(async () => expect(await site.waiting()).toBe(0), soon);
    goOn();
    // It ends when it has done with those that it had
    await still[Symbol.asyncDispose]();
    await heir[Symbol.asyncDispose]();
    return recorder.numbers;
  }

  /** The effects of a message whose handler fails once and that comes twice. */
  async function handledTwice(ofHandler: Break): Promise<unknown[]> {
    await using site = new OutboxSite(server.url);
    const inbox = `inbox_${site.table}`;
    const effects = `effects_${site.table}`;
    await site.sql(`CREATE TABLE ${effects} (n integer)`);
    site.afterwards(() => site.sql(`DROP TABLE IF EXISTS ${inbox}, ${effects}`));
    const queue = site.queue(memoryDriver());
    let calls = 0;
    await queue.subscribe(
      'order',
      async ({ n }, { tx }) => {
        await tx.query(`INSERT INTO ${effects} VALUES (${n})`);
        if (++calls === 1) throw new Error('no');
      },
      {
        backoff: { firstMs: 1 },
        idempotency: {
          mode: 'transaction',
          pool: changed(site.pool, ofHandler),
          table: inbox,
          key: ({ n }: { n: number }) => String(n),
        },
      },
    );
    for (const done of [1, 2]) {
      await queue.publish('order', { n: 1 });
      await eventually(async () => expect(queue.snapshot().subscriptions[0]?.handled).toBe(done), soon);
    }
    return (await site.sql(`SELECT n FROM ${effects}`)).map(({ n }) => n);
  }

  describe('in what is right, not', () => {
    it('the order of commits', async () => expect(await interleaved(right)).toEqual([2, 1]));
    it('what others write', async () => expect(await ofOthers(right)).toEqual([1, 2]));
    it('the order of a key', async () => expect(await sameKey(right)).toEqual([1, 2]));
    it('the death of a relay', async () => expect(await diesWhilePublishing(right)).toEqual([1]));
    it('a relay that stood still', async () => {
      expect(await standsStill(clock => clock)).toEqual([1, 2, 3, 4, 1]);
    });
    it('a repetition', async () => expect(await handledTwice(right)).toEqual([1]));
  });

  it('a relay with a cursor over ids loses a transaction that commits late', async () => {
    let cursor = 0;
    const broken: Break = async ({ text, ...rest }, ask) => {
      const answer = await ask({
        text: text.replaceAll('o.id >= lanes.floor', `o.id > ${cursor}`),
        ...rest,
      });
      if (/AS body/.test(text)) for (const { id } of answer.rows) cursor = Math.max(cursor, Number(id));
      return answer;
    };
    expect(await interleaved(broken)).toEqual([2]);
  });

  it('a relay that looks only where it expects rows loses those of others', async () => {
    const broken: Break = async ({ values = [], ...rest }, ask) => {
      const isForAll = rest.text.startsWith('WITH busy') && !values[0]!.includes('NULL');
      const none = `{${Array.from({ length: 64 }, () => 'NULL').join()}}`;
      return ask({ ...rest, values: isForAll ? [none, ...values.slice(1)] : values });
    };
    expect(await ofOthers(broken)).not.toContain(1);
  });

  it('writers that do not lock their key turn its order round', async () => {
    const broken: Break = ({ text, ...rest }, ask) =>
      ask({ text: text.replace(/pg_advisory_xact_lock\((number|hash)/, '($1'), ...rest });
    expect(await sameKey(broken)).toEqual([2, 1]);
  });

  it('a relay that deletes before it publishes loses messages', async () => {
    const broken: Break = async (statement, ask) => {
      const answer = await ask(statement);
      const table = /FROM ("outbox\w*")/.exec(statement.text)?.[1];
      if (/AS body/.test(statement.text)) {
        await ask({
          text: `DELETE FROM ${table} WHERE id IN (${answer.rows.map(({ id }) => id).join()}); COMMIT; BEGIN`,
        });
      }
      return answer;
    };
    expect(await diesWhilePublishing(broken)).toEqual([]);
  });

  it('a relay that does not look how long it stood still turns the order of a key round', async () => {
    const broken = (clock: Clock): Clock => ({ ...clock, now: () => 0 });
    expect(await standsStill(broken)).toEqual([1, 2, 3, 4, 1, 2, 3]);
  });

  it('a record that is committed before the effect loses the effect', async () => {
    const broken: Break = async (statement, ask) => {
      const answer = await ask(statement);
      if (/fingerprint\) SELECT/.test(statement.text)) await ask({ text: 'COMMIT; BEGIN' });
      return answer;
    };
    expect(await handledTwice(broken)).toEqual([]);
  });

  it('a handler without a fence has its effect twice', async () => {
    const broken: Break = async (statement, ask) =>
      /fingerprint\) SELECT/.test(statement.text)
        ? { rows: [{ held: 'true', written: '1', fingerprint: null, result: null }] }
        : ask(statement);
    expect(await handledTwice(broken)).toEqual([1, 1]);
  });
});
