import { eventually, type Postgres, startPostgres, startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { group, message, Reader, send, topic } from '../../src/conformance/subject.ts';
import type { Delivery } from '../../src/driver.ts';
import { messages, Queue } from '../../src/index.ts';
import { type Meddle, meddled, silence } from './connections/meddled-pool.ts';
import { QueueTables } from './queue-tables.ts';

const soon = { withinMs: 20_000 };
const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();

/** How each way to settle is told from other statements, and what is there afterwards. */
const settlements: Record<
  string,
  { statement: RegExp; settle(delivery: Delivery): Promise<void>; left: object | undefined }
> = {
  'an acknowledgment': {
    statement: /DELETE FROM \S+_jobs" j USING input/,
    settle: delivery => delivery.ack(),
    left: undefined,
  },
  'an acknowledgment with a result': {
    statement: /SET state = 4/,
    settle: delivery => delivery.ack({ result: Buffer.from('"yes"') }),
    left: { state: 'done' },
  },
  'a failure': {
    statement: /SET\s+state = CASE WHEN/,
    settle: delivery => delivery.nack({ requeueAfterMs: 600_000 }),
    left: { state: 'delayed', deliveries: 1, failures: 1 },
  },
  'a death': {
    statement: /SET\s+state = CASE WHEN/,
    settle: delivery => delivery.nack({ dead: 'no' }),
    left: { state: 'dead', deliveries: 1, failures: 1 },
  },
};

describeWith('postgres', 'settlements over PostgreSQL whose answers are lost', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  async function begin(meddle: Meddle, { leaseMs = 600_000, way = server.port, timeoutMs = 1_000 } = {}) {
    const connectionString = server.url.replace(`:${server.port}/`, `:${way}/`);
    const own = new pg.Pool({ connectionString });
    own.on('error', () => {});
    const listenPool = new pg.Pool({ connectionString: server.url });
    listenPool.on('error', () => {});
    onTestFinished(async () => {
      await own.end();
      await listenPool.end();
    });
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver({
      pool: meddled(own, meddle),
      listenPool,
      leaseMs,
      timeoutMs,
      pollMs: 50,
    });
    const near = tables.driver();
    await near.migrate();
    await near.declare(topic, group);
    return { tables, driver, near };
  }

  for (const [name, { statement, settle, left }] of Object.entries(settlements)) {
    it(`${name} that is repeated after a lost answer is not taken for a lost delivery`, async () => {
      let lost = 0;
      const { driver, near } = await begin(async (text, ask) => {
        const answer = await ask();
        return statement.test(text) && ++lost <= 2 ? silence : answer;
      });
      await send(near, topic, message('1'));
      await using reader = new Reader(driver, topic, group);
      await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
      const [delivery] = reader.received;
      for (let n = 1; n <= 2; n++) {
        await expect(settle(delivery!)).rejects.toMatchObject({ outcome: 'Unknown', retryable: true });
      }
      await settle(delivery!);
      expect(lost).toBe(3);
      const found = await near.find!(topic, group, delivery!.id);
      if (left === undefined) expect(found).toBeUndefined();
      else expect(found).toMatchObject(left);
    });

    it(`${name} that is repeated after its lease is a lost delivery`, async () => {
      let lost = 0;
      const { tables, driver, near } = await begin(
        async (text, ask) => {
          const answer = await ask();
          return statement.test(text) && ++lost <= 1 ? silence : answer;
        },
        { leaseMs: 200 },
      );
      await send(near, topic, message('1'));
      await using reader = new Reader(driver, topic, group);
      await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
      const [delivery] = reader.received;
      await expect(settle(delivery!)).rejects.toMatchObject({ outcome: 'Unknown' });
      // By now others may have had it, and settled it
      await tables.sql(`DELETE FROM ${tables.prefix}_jobs`);
      await expect(settle(delivery!)).rejects.toMatchObject({ code: 'ASHLAR_QUEUE_DELIVERY_LOST' });
    });
  }

  const asked: Record<string, { statement: RegExp; ask(delivery: Delivery): Promise<void> }> = {
    'an extension': { statement: /SET at = clock_timestamp/, ask: delivery => delivery.extend(600_000) },
    progress: { statement: /SET progress/, ask: delivery => delivery.progress!(Buffer.from('1')) },
  };
  for (const [name, { statement, ask: askFor }] of Object.entries(asked)) {
    it(`${name} that what settles it has overtaken, on another connection, is of no lost delivery`, async () => {
      let acknowledged = () => {};
      const isAcknowledged = new Promise<void>(resolve => {
        acknowledged = resolve;
      });
      const overtaken = async (text: string, ask: Parameters<Meddle>[1]) => {
        if (statement.test(text)) await isAcknowledged;
        return ask();
      };
      const { driver, near } = await begin(overtaken, { timeoutMs: 30_000 });
      await send(near, topic, message('1'));
      await using reader = new Reader(driver, topic, group);
      await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
      const [delivery] = reader.received;
      const asking = askFor(delivery!);
      const said = expect(asking).resolves.toBeUndefined();
      await delivery!.ack();
      acknowledged();
      await said;
    });
  }

  it('a delivery whose row was taken away before it is settled is lost', async () => {
    const { driver, near } = await begin((_, ask) => ask());
    await send(near, topic, message('1'));
    await using reader = new Reader(driver, topic, group);
    await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
    expect(await driver.cancel!(topic, group, reader.received[0]!.id)).toBe(true);
    await expect(reader.received[0]!.ack()).rejects.toMatchObject({ code: 'ASHLAR_QUEUE_DELIVERY_LOST' });
  });

  it('a handled message whose acknowledgment was not answered at first counts as handled', async () => {
    let lost = 0;
    const { driver } = await begin(async (text, ask) => {
      const answer = await ask();
      return settlements['an acknowledgment']!.statement.test(text) && ++lost <= 1 ? silence : answer;
    });
    const queue = new Queue(driver, { messages: messages<Record<string, { n: number }>>() });
    await using subscription = await queue.subscribe(topic, () => {}, { group });
    await queue.publish(topic, { n: 1 });
    await eventually(async () => expect(lost).toBe(2), soon);
    await eventually(
      async () => expect(subscription.snapshot()).toMatchObject({ handled: 1, lost: 0 }),
      soon,
    );
  });

  it('progress that was lost on its way never comes after a later one', async () => {
    await using way = await startTcpProxy({ target: server.port });
    let stalls = true;
    const { tables, driver, near } = await begin(
      (text, ask) => {
        if (stalls && /SET progress/.test(text)) {
          stalls = false;
          way.stall('present');
        }
        return ask();
      },
      { way: way.port },
    );
    await send(near, topic, message('1'));
    await using reader = new Reader(driver, topic, group);
    await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
    const [delivery] = reader.received;
    await expect(delivery!.progress!(Buffer.from('1'))).rejects.toMatchObject({ retryable: true });
    await eventually(() => delivery!.progress!(Buffer.from('2')), soon); // Other connections of the moment stall too
    way.resume();
    // What was held back has arrived when its sessions have ended
    await eventually(async () => {
      const held = await tables.sql(
        `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%' || $1 || '%' AND pid <> pg_backend_pid()
          AND state_change < clock_timestamp() - interval '300 milliseconds' AND query LIKE '%progress%'`,
        [tables.prefix],
      );
      expect(held).toEqual([]);
    }, soon);
    const job = await near.find!(topic, group, delivery!.id);
    expect(text(job?.progress)).toBe('2');
  });
});
