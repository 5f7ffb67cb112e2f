import { randomUUID } from 'node:crypto';
import { eventually } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { type NatsOptions, nats } from '../../src/adapters/nats.ts';
import { group, message, Reader, send, times, topic } from '../../src/conformance/subject.ts';
import { NatsSite } from '../support/nats-site.ts';

/** What users of JetStream have reported of settings, of streams of others and of servers that begin again, tried here. */

const soon = (attempt: () => Promise<void>): Promise<void> => eventually(attempt, { withinMs: 60_000 });

describeWith({ own: 'nats' }, 'reports of streams and settings of NATS', () => {
  const site = new NatsSite();

  function open(options: Partial<NatsOptions> = {}) {
    const connection = { servers: site.servers };
    const driver = nats({ connection, prefix: randomUUID(), timeoutMs: 20_000, ...options });
    onTestFinished(() => driver[Symbol.asyncDispose]());
    return driver;
  }

  it('times of any fraction are whole nanoseconds of JetStream (nats-io/nats.net 244)', async () => {
    for (const [leaseMs, deduplicationMs] of [
      [1_000.1, 60_000.7],
      [7_500 / 7, 120_000 / 7],
    ] as const) {
      const driver = open({ leaseMs, deduplicationMs });
      await driver.declare(topic, group);
      await send(driver, topic, message('one', { delayMs: 0.3, expiresInMs: 1e9 / 7 }));
      await using reader = new Reader(driver, topic, group);
      await soon(async () => expect(reader.texts).toContain('one'));
    }
  });

  it('a window that is too long for JetStream is refused at once, and by its name', () => {
    for (const options of [{ leaseMs: 1e14 }, { deduplicationMs: 1e14 }]) {
      expect(() => open(options)).toThrow(
        expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION', option: Object.keys(options)[0] }),
      );
    }
  });

  it('headers that mean something to JetStream are those of the message (synadia-io/orbit.net 83)', async () => {
    const driver = open();
    await driver.declare(topic, group);
    const headers = {
      'nats-msg-id': 'one for all',
      'nats-rollup': 'all',
      'nats-expected-last-sequence': '99',
      'nats-expected-stream': 'another',
      'nats-ttl': '1s',
      'nats-batch-commit': '1',
    };
    await send(driver, topic, ...times(3, n => message(`${n}`, { headers })));
    await using reader = new Reader(driver, topic, group);
    await soon(async () => expect(reader.texts.toSorted()).toEqual(['0', '1', '2']));
    for (const each of reader.received) expect(each.headers).toMatchObject(headers);
  });

  it('a stream of others that takes the same subjects is named when a group is declared (matrix-org/dendrite 2086)', async () => {
    const prefix = randomUUID();
    const name = `other-${prefix}`;
    await site.admin.request(
      `$JS.API.STREAM.CREATE.${name}`,
      JSON.stringify({ name, subjects: [`${prefix}.>`] }),
    );
    const driver = open({ prefix });
    await expect(driver.declare(topic, group)).rejects.toThrow(/subjects overlap/);
    await site.admin.request(`$JS.API.STREAM.DELETE.${name}`);
    await driver.declare(topic, group);
    expect(await driver.publish(topic, [message('one')])).toEqual([{ ok: true }]);
  });

  it('a stream that is as it was declared is neither made nor changed again (nats-io/nats-server 8449)', async () => {
    const prefix = randomUUID();
    await open({ prefix }).declare(topic, group);
    const asked: string[] = [];
    const options = {
      callback: (_: unknown, { subject }: { readonly subject: string }) => void asked.push(subject),
    };
    for (const what of ['CREATE', 'UPDATE']) site.admin.subscribe(`$JS.API.STREAM.${what}.*`, options);
    await site.admin.flush();
    await open({ prefix }).declare(topic, group);
    await open({ prefix, maxMessages: 3 }).declare(topic, group);
    await site.admin.flush();
    expect(asked).toEqual([`$JS.API.STREAM.UPDATE.${prefix}_${topic}`]);
  });

  it('what is delayed, or waits for another attempt, outlives declarations by others (nats-io/nats-server 5526)', async () => {
    const prefix = randomUUID();
    const driver = open({ prefix });
    await driver.declare(topic, group);
    await send(driver, topic, ...times(5, n => message(`later ${n}`, { delayMs: 1_500 })));
    await send(driver, topic, ...times(5, n => message(`again ${n}`)));
    await using reader = new Reader(driver, topic, group, {
      each: each => (each.deliveries === 1 ? each.nack({ requeueAfterMs: 1_000 }) : each.ack()),
    });
    for (const maxMessages of [1_000, 2_000, 3_000]) {
      const other = open({ prefix, maxMessages });
      await other.declare(topic, group);
      await other.declare(topic, 'another');
    }
    await soon(async () =>
      expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, delayed: 0, active: 0 }),
    );
    const expected = ['later', 'again'].flatMap(what => times(5, n => `${what} ${n}`));
    expect(new Set(reader.texts)).toEqual(new Set(expected));
  });

  it('what was acknowledged does not come again when the server has begun again (nats-io/nats-server 3664)', async () => {
    const driver = open({ leaseMs: 30_000 });
    await driver.declare(topic, group);
    await send(driver, topic, ...times(20, n => message(`${n}`)));
    await using reader = new Reader(driver, topic, group, { prefetch: 5, each: each => each.ack() });
    await soon(async () => expect(reader.received).toHaveLength(20));
    await site.server.restart();
    await soon(async () => send(driver, topic, message('last')));
    await soon(async () => expect(reader.texts.at(-1)).toBe('last'));
    await soon(async () =>
      expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, delayed: 0, active: 0 }),
    );
    expect(reader.received).toHaveLength(21);
  }, 180_000);
});
