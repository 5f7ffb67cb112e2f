import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { messageIdOf } from '../../../src/adapters/bullmq/names.ts';
import { message, send, textOf, times } from '../../../src/conformance/subject.ts';
import { type Driver, messages, Queue } from '../../../src/index.ts';
import { BullSite, libraries, soon } from './site.ts';

/** What users of BullMQ and Bull have reported of single jobs and of the failed ones, tried here. */

describeWith([{ own: 'redis' }], 'reports of jobs', () => {
  const site = new BullSite();

  async function dead(driver: Driver, name: string, count: number): Promise<void> {
    await soon(async () => expect((await driver.stats!(name, 'default')).dead).toBe(count));
  }

  for (const [version, library] of Object.entries(libraries)) {
    it(`BullMQ ${version}: jobs of other code are found, canceled, sent again and deleted by their ids, whatever these are (taskforcesh/bullmq 1946, graphql-compose/graphql-compose-bullmq 74)`, async () => {
      const { name, bull, driver, read } = await site.begin(library);
      // BullMQ's own are numbers
      const numbers = (await bull.addBulk(times(240, n => ({ name: 'raw', data: { n } })))).map(
        ({ id }) => id!,
      );
      const named = ['order 17', '~tilde', 'Grüße', '%'];
      for (const jobId of named) await bull.add('raw', {}, { jobId });
      for (const id of [numbers[0]!, ...named]) {
        expect(await driver.find!(name, 'default', id)).toMatchObject({ state: 'waiting' });
      }
      for (const id of ['wait', 'meta', 'events', 'id', 'no such', '9999', `${numbers[0]}:lock`]) {
        expect(await driver.find!(name, 'default', id)).toBeUndefined();
        expect(await driver.cancel!(name, 'default', id)).toBe(false);
      }
      for (const id of [numbers[0]!, 'order 17']) {
        expect(await driver.cancel!(name, 'default', id)).toBe(true);
        expect(await driver.find!(name, 'default', id)).toBeUndefined();
      }
      await using failing = read({ prefetch: 50, each: each => each.nack({ dead: 'for the test' }) });
      await dead(driver, name, 242);
      expect(new Set(failing.received.map(({ id }) => id))).toEqual(
        new Set([...numbers.slice(1), ...named.slice(1)]),
      );
      const queue = new Queue(driver, { messages: messages<Record<string, unknown>>() });
      const listed: string[] = [];
      for await (const { id } of queue.dead(name)) {
        // One that comes to be listed again and again ends this
        if (listed.push(id) > 242) break;
      }
      expect(listed.sort()).toEqual(failing.received.map(({ id }) => id).sort());
      const purged = ['~tilde', numbers[5]!];
      expect(await driver.purge!(name, 'default', { ids: [...purged, 'no such'] })).toBe(2);
      await failing[Symbol.asyncDispose]();
      const redriven = ['Grüße', '%', numbers[7]!];
      expect(await driver.redrive!(name, 'default', { ids: [...redriven, ...purged] })).toBe(3);
      await using again = read({ prefetch: 10, each: each => each.ack() });
      await again.has({ driver } as never, 3);
      expect(again.received.map(({ id }) => id).sort()).toEqual(redriven.sort());
    });

    it(`BullMQ ${version}: a dead job that an evicting server has lost, published again, is neither listed nor deleted as dead`, async () => {
      const { name, bull, driver, read } = await site.begin(library);
      const given = times(4, n => message(`${n}`));
      await send(driver, name, ...given);
      const failing = read({ prefetch: 10, each: each => each.nack({ dead: 'for the test' }) });
      await dead(driver, name, 4);
      await failing[Symbol.asyncDispose]();
      const lost = (await bull.getFailed(0, 2)).map(({ id }) => id!);
      for (const id of lost) await site.admin.del(bull.toKey(id));
      await send(driver, name, ...given);
      expect((await driver.inspect!(name, 'default', { limit: 10 })).length).toBe(1);
      const { length } = lost;
      expect(await driver.redrive!(name, 'default', { ids: [messageIdOf(lost[0]!)] })).toBe(0);
      expect(await driver.purge!(name, 'default', {})).toBe(1);
      expect(await driver.stats!(name, 'default')).toMatchObject({ waiting: length, dead: 0 });
      const reader = read({ prefetch: 10, each: each => each.ack() });
      await reader.has({ driver } as never, length);
      await soon(async () =>
        expect(await driver.stats!(name, 'default')).toMatchObject({ waiting: 0, active: 0, dead: 0 }),
      );
      expect(reader.received.length).toBe(length);
    });

    it(`BullMQ ${version}: jobs of a scheduler are found and sent again by their ids (OptimalBits/bull 2437)`, async () => {
      const { name, bull, driver, read } = await site.begin(library);
      await bull.upsertJobScheduler('nightly', { every: 3_600_000 }, { name: 'tick', data: {} });
      await using failing = read({ prefetch: 1, each: each => each.nack({ dead: 'for the test' }) });
      const [tick] = await failing.has({ driver } as never, 1);
      expect(tick!.id).toMatch(/^repeat:nightly:\d+$/);
      await dead(driver, name, 1);
      await failing[Symbol.asyncDispose]();
      expect(await driver.find!(name, 'default', tick!.id)).toMatchObject({ state: 'dead' });
      expect(await driver.redrive!(name, 'default', { ids: [tick!.id] })).toBe(1);
      expect(await driver.find!(name, 'default', tick!.id)).toMatchObject({ state: 'waiting' });
      // BullMQ removes the next one with its scheduler only
      const [next] = await bull.getDelayed();
      const refused = { code: 'ASHLAR_QUEUE_UNAVAILABLE', outcome: 'NotExecuted' };
      await expect(driver.cancel!(name, 'default', next!.id!)).rejects.toMatchObject(refused);
    });

    it(`BullMQ ${version}: a parent whose child is sent again while it is handled is acknowledged once that is done`, async () => {
      const { name, bull, driver, read } = await site.begin(library);
      const connection = { port: site.server.port, maxRetriesPerRequest: null };
      const flows = new library.FlowProducer({ connection });
      onTestFinished(() => flows.close());
      const child = { name: 'child', queueName: name, data: {} };
      const flow = await flows.add({ name: 'parent', queueName: name, data: {}, children: [child] });
      const childId = flow.children![0]!.job.id!;
      const reader = read({ prefetch: 1 });
      await (await reader.has({ driver } as never, 1))[0]!.ack();
      const parent = (await reader.has({ driver } as never, 2))[1]!;
      expect(reader.received.map(({ id }) => id)).toEqual([childId, flow.job.id]);
      await (await bull.getJob(childId))!.retry('completed');
      // BullMQ 5 lets it be finished before its child
      if (version === '6') {
        const refused = { code: 'ASHLAR_QUEUE_UNAVAILABLE', outcome: 'NotExecuted', retryable: true };
        await expect(parent.ack()).rejects.toMatchObject(refused);
      }
      const again = read({ prefetch: 1, each: each => each.ack() });
      await again.has({ driver } as never, 1);
      await soon(() => parent.ack());
      expect(await (await bull.getJob(parent.id))!.isCompleted()).toBe(true);
    });

    it(`BullMQ ${version}: a parent is canceled while a child of it is in hands, which goes on`, async () => {
      const { name, bull, driver, read } = await site.begin(library);
      const connection = { port: site.server.port, maxRetriesPerRequest: null };
      const flows = new library.FlowProducer({ connection });
      onTestFinished(() => flows.close());
      const child = { name: 'child', queueName: name, data: {} };
      const { job } = await flows.add({ name: 'parent', queueName: name, data: {}, children: [child] });
      const reader = read({ prefetch: 1 });
      const [held] = await reader.has({ driver } as never, 1);
      expect(await driver.cancel!(name, 'default', job.id!)).toBe(true);
      expect(await driver.find!(name, 'default', job.id!)).toBeUndefined();
      await held!.ack();
      expect(await bull.getJobCounts('completed', 'wait', 'waiting-children', 'active')).toEqual({
        ...{ completed: 1, wait: 0, 'waiting-children': 0, active: 0 },
      });
    });

    it(`BullMQ ${version}: a failed job whose data is gone hides no other (taskforcesh/bullmq 248, taskforcesh/bullmq 2286)`, async () => {
      const { name, driver, key, read } = await site.begin(library);
      await send(driver, name, ...times(130, n => message(`${n}`)));
      await using _ = read({ prefetch: 50, each: each => each.nack({ dead: 'for the test' }) });
      await dead(driver, name, 130);
      const [first, second] = await driver.inspect!(name, 'default', { limit: 2 });
      await site.admin.del(key(first!.id));
      const page = await driver.inspect!(name, 'default', { limit: 5 });
      expect(page).toHaveLength(5);
      expect(page[0]!.id).toBe(second!.id);
      const queue = new Queue(driver, { messages: messages<Record<string, unknown>>() });
      let listed = 0;
      for await (const _ of queue.dead(name)) listed++;
      expect(listed).toBe(129);
      expect(await driver.redrive!(name, 'default', {})).toBe(129);
    });

    it(`BullMQ ${version}: what is not dead is not sent again, and stays as it is (OptimalBits/bull 2540)`, async () => {
      const { name, bull, driver } = await site.begin(library);
      await send(driver, name, { ...message('waits'), id: 'waits', expiresInMs: 600_000 });
      expect(await driver.redrive!(name, 'default', { ids: ['waits'] })).toBe(0);
      expect((await bull.getJob('waits'))!.data).toHaveProperty('expirytime');
      expect(await driver.stats!(name, 'default')).toMatchObject({ waiting: 1 });
    });

    it(`BullMQ ${version}: messages that are only to be dropped use up no limit (taskforcesh/bullmq 2858)`, async () => {
      const { name, driver } = await site.begin(library);
      const queue = new Queue(driver, { messages: messages<Record<string, string>>() });
      onTestFinished(() => queue.close());
      const old = { expiresInMs: 1, key: 'tenant' };
      for (const text of ['1', '2', '3']) await queue.publish(name, text, old as object);
      const { id } = await queue.publish(name, 'canceled', { key: 'tenant' });
      await queue.cancel(name, id);
      await queue.publish(name, '{"expirytime":"1970-01-01T00:00:00.000Z"}', { key: 'tenant' });
      await queue.publish(name, 'too many', { key: 'tenant' });
      const seen: string[] = [];
      const one = { count: 1, perMs: 3_600_000 };
      const limits = { rate: { ...one, count: 2 }, keyRate: one };
      await queue.subscribe(name, text => void seen.push(text), { limits } as object);
      await queue.publish(name, 'other', { key: 'other' });
      await soon(async () => expect(seen).toHaveLength(2));
      expect(seen).toEqual(['{"expirytime":"1970-01-01T00:00:00.000Z"}', 'other']);
      expect(await driver.stats!(name, 'default')).toMatchObject({ waiting: 1 });
    });

    it(`BullMQ ${version}: bytes are bytes on both sides, whatever array holds them (cloudevents/sdk-javascript 491, cloudevents/sdk-javascript 643, cloudevents/sdk-java 85)`, async () => {
      const { name, bull, driver, read } = await site.begin(library);
      const bytes = Uint8Array.of(0x0a, 0x0d, 0x6f, 0xff).subarray(1);
      const headers = { 'content-type': 'application/octet-stream' };
      await send(driver, name, { ...message('bytes'), id: 'bytes', body: bytes, headers });
      const { data } = (await bull.getJob('bytes'))!;
      expect(data).toMatchObject({ datacontenttype: 'application/octet-stream', data_base64: 'DW//' });
      expect(data).not.toHaveProperty('data');
      const event = { specversion: '1.0', id: 'theirs', source: '/', type: 'raw', data_base64: 'DW//' };
      await bull.add('raw', event);
      await using reader = read({ prefetch: 2, each: each => each.ack() });
      for (const { body } of await reader.has({ driver } as never, 2)) expect([...body]).toEqual([...bytes]);
      expect(textOf(reader.received[1]!)).toBe(Buffer.from(bytes).toString());
    });
  }
});
