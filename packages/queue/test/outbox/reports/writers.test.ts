import { randomUUID } from 'node:crypto';
import { eventually, type NatsServer, type Postgres, startNats, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nats } from '../../../src/adapters/nats.ts';
import { memoryDriver } from '../../../src/index.ts';
import { OutboxSite, Recorder, settles, soon } from '../site.ts';

/** What users of outboxes have reported of what is written: lost, out of order, too large, or undone and sent all the same. */

const sorted = (all: readonly number[]) => all.toSorted((a, b) => a - b);

describeWith('postgres', 'reports of what is written to an outbox', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  it('writers in serializable transactions fail for none of the others, nor for a relay (MassTransit/MassTransit 3512, MassTransit/MassTransit 4470)', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { pollMs: 5 });
    const queue = site.queue(driver);
    await driver.migrate();
    const each = Array.from({ length: 60 }, (_, n) => n);
    await Promise.all(
      each.map(n =>
        site.transaction(async tx => {
          await tx.query('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE');
          await queue.publish('order', { n }, { tx, key: `key ${n}` });
          await queue.publish('other', { n: 100 + n }, { tx });
        }),
      ),
    );
    const all = [...each, ...each.map(n => 100 + n)];
    await settles(() => expect(sorted(recorder.numbers)).toEqual(all));
  });

  it('whatever many writers commit at once is relayed, in the order of their keys, and nothing of what they roll back (ThreeDotsLabs/watermill 311, kamu-data/kamu-cli 1398, patchlevel/event-sourcing 615, MassTransit/MassTransit 4990)', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const relays = [1, 2].map(() => site.driver(recorder.driver, { pool: site.newPool(), pollMs: 1 }));
    const queue = site.queue(relays[0]!);
    await relays[0]!.migrate();
    const committed: number[] = [];
    await Promise.all(
      Array.from({ length: 12 }, async (_, writer) => {
        for (let at = 0; at < 25; at++) {
          const n = writer * 1_000 + at;
          const work = site.transaction(async tx => {
            await queue.publish('order', { n }, { tx, key: `${writer}` });
            await tx.query(`SELECT pg_sleep(${((n * 7) % 5) / 1_000})`);
            if (n % 6 === 5) throw new Error('undone');
          });
          await work.then(
            () => committed.push(n),
            error => expect(error).toMatchObject({ message: 'undone' }),
          );
        }
      }),
    );
    await settles(() => expect(sorted(recorder.numbers)).toEqual(sorted(committed)));
    for (let writer = 0; writer < 12; writer++) {
      const own = recorder.numbers.filter(n => Math.floor(n / 1_000) === writer);
      expect(own).toEqual(sorted(own));
    }
  });

  it('bodies of no byte and of megabytes arrive as they are (debezium/debezium 4761)', async () => {
    await using site = new OutboxSite(server.url);
    const driver = site.driver(memoryDriver());
    await driver.migrate();
    await driver.declare('order', 'group');
    const sizes = [0, 3_000_000, 1, 2_000_000, 0];
    const batch = sizes.map((size, n) => ({
      id: `${n}`,
      body: Buffer.alloc(size, n),
      headers: {},
      key: 'a',
    }));
    await site.transaction(async tx => {
      expect(await driver.publish('order', batch, { tx })).toEqual(batch.map(() => ({ ok: true })));
    });
    const stop = new AbortController();
    const found: (readonly [id: string, isSame: boolean])[] = [];
    for await (const each of driver.consume('order', 'group', { prefetch: 1, signal: stop.signal })) {
      found.push([each.id, Buffer.from(each.body).equals(batch[Number(each.id)]!.body)]);
      await each.ack();
      if (found.length === batch.length) stop.abort();
    }
    expect(found).toEqual(batch.map(({ id }) => [id, true]));
  });

  describeWith('nats', 'over NATS', () => {
    let broker: NatsServer;
    beforeAll(async () => {
      broker = await startNats({ own: true });
    });
    afterAll(() => broker?.stop());

    it('a message that is too large for the broker is put aside, and the next of its key passes (JasperFx/wolverine 1686, Farfetch/kafkaflow-retry-extensions 158)', async () => {
      await using site = new OutboxSite(server.url);
      const connection = { servers: `127.0.0.1:${broker.port}` };
      const over = nats({ connection, prefix: randomUUID() });
      const driver = site.driver(over, { attempts: 2, backoff: { firstMs: 1, maxMs: 5 } });
      await driver.migrate();
      await driver.declare('order', 'group');
      const message = (id: string, size: number) => ({ id, body: Buffer.alloc(size), headers: {}, key: 'a' });
      await site.transaction(async tx => {
        await driver.publish('order', [message('large', 2_000_000), message('small', 1)], { tx });
      });
      const stop = new AbortController();
      for await (const each of driver.consume('order', 'group', { prefetch: 1, signal: stop.signal })) {
        expect(each.id).toBe('small');
        await each.ack();
        stop.abort();
      }
      const look = async () => driver.inspect('order', 'outbox', { limit: 9 });
      await eventually(async () => expect(await look()).toMatchObject([{ id: 'large', failures: 2 }]), soon);
      expect((await look())[0]!.reason).toMatch(/InvalidPayloadError.*bytes/);
    });
  });
});
