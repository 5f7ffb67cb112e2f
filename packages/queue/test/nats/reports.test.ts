import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { headers } from '@nats-io/transport-node';
import { eventually, startNats, temporaryDirectory } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { type PullEnd, Puller } from '../../src/adapters/nats/consuming/pull.ts';
import { type NatsOptions, nats } from '../../src/adapters/nats.ts';
import { group, message, Reader, send, times, topic } from '../../src/conformance/subject.ts';
import { NatsSite } from '../support/nats-site.ts';

/** What users of JetStream have reported of consumers that are stuck, streams that are meddled with and disks that are full, tried here. */

const soon = (attempt: () => Promise<void>): Promise<void> => eventually(attempt, { withinMs: 60_000 });

describeWith('nats', 'reports of NATS', () => {
  const site = new NatsSite();

  async function begin(options: Partial<NatsOptions> = {}, port = site.server.port) {
    const prefix = randomUUID();
    const connection = { servers: `127.0.0.1:${port}` };
    const driver = nats({ connection, prefix, leaseMs: 5_000, ...options });
    onTestFinished(() => driver[Symbol.asyncDispose]());
    await driver.declare(topic, group);
    return { driver, prefix };
  }

  it('more than a thousand are in hands, or delayed, and hold up nothing else (nats-io/nats-server 7680, nats-io/nats-server 6905)', async () => {
    const { driver } = await begin({ leaseMs: 30_000 });
    const count = 1_200;
    await send(driver, topic, ...times(count, n => message(`later ${n}`, { delayMs: 2_000 })));
    await send(driver, topic, ...times(count, n => message(`now ${n}`)));
    await using reader = new Reader(driver, topic, group, { prefetch: 2 * count + 10 });
    await soon(async () => expect(reader.received).toHaveLength(2 * count));
    await send(driver, topic, message('last'));
    await soon(async () => expect(reader.texts.at(-1)).toBe('last'));
    await Promise.all(reader.received.map(each => each.ack()));
    await soon(async () =>
      expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, delayed: 0, active: 0 }),
    );
  });

  it('a stream that an operator purges while its messages are in hands is gone on with (nats-io/nats-server 6374)', async () => {
    const { driver, prefix } = await begin();
    await send(driver, topic, ...times(10, n => message(`${n}`)));
    await using reader = new Reader(driver, topic, group, { prefetch: 4 });
    await soon(async () => expect(reader.received).toHaveLength(4));
    await site.admin.request(`$JS.API.STREAM.PURGE.${prefix}_${topic}`);
    const [first, second, ...rest] = reader.received;
    await first!.ack();
    await second!.nack({ requeueAfterMs: 1 }); // The driver has it, and stores it again
    await Promise.all(rest.map(each => each.ack()));
    await send(driver, topic, message('last'));
    await soon(async () => expect(reader.texts).toEqual(expect.arrayContaining(['last'])));
    await soon(async () => expect(reader.texts.filter(text => text === '1')).toHaveLength(2));
    await Promise.all(reader.received.slice(4).map(each => each.ack()));
    await soon(async () =>
      expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, delayed: 0, active: 0 }),
    );
  });

  it('a server without room refuses messages, says why, and takes them when consumers have made room (nats-io/nats-server 2873)', async () => {
    const config = join(temporaryDirectory('nats-config'), 'nats.conf');
    await writeFile(config, 'jetstream { max_file_store: 2MB }');
    await using small = await startNats({ own: true, args: ['--config', config] });
    const { driver } = await begin({}, small.port);
    const body = new Uint8Array(100_000);
    let count = 0;
    for (; ; count++) {
      const [published] = await driver.publish(topic, [{ ...message(''), body }]);
      if (published!.ok) continue;
      expect(published).toMatchObject({ outcome: 'NotExecuted' });
      expect(published!.error.message).toMatch(/insufficient|exceeded|resource/i);
      break;
    }
    expect(count).toBeGreaterThan(5);
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await soon(async () => expect(reader.received).toHaveLength(count));
    await soon(async () => expect(await driver.publish(topic, [message('small')])).toEqual([{ ok: true }]));
  });

  it('a server that gives few messages at once gives all of them, also the delayed (`max_request_batch`)', async () => {
    const config = join(temporaryDirectory('nats-config'), 'nats.conf');
    await writeFile(config, 'jetstream { limits { max_request_batch: 4 } }');
    await using sparing = await startNats({ own: true, args: ['--config', config] });
    const { driver } = await begin({}, sparing.port);
    const count = 10;
    await send(driver, topic, ...times(count, n => message(`now ${n}`)));
    await send(driver, topic, ...times(count, n => message(`later ${n}`, { delayMs: 50 })));
    await using reader = new Reader(driver, topic, group, { prefetch: 7, each: each => each.ack() });
    await soon(async () => expect(reader.received).toHaveLength(2 * count));
  });

  it('a server that refuses requests is not asked without a pause', async () => {
    const subject = randomUUID();
    const refusing = site.admin.subscribe(subject, {
      callback: (_, request) =>
        site.admin.publish(request.reply!, '', { headers: headers(409, 'Exceeded MaxWaiting') }),
    });
    await site.admin.flush();
    const startedAt = performance.now();
    const ends: PullEnd[] = [];
    await new Promise<void>(resolve => {
      const puller = new Puller(
        site.admin,
        subject,
        () => {},
        end => (ends.push(end) < 5 ? puller.ask(1, 60_000) : resolve()),
      );
      onTestFinished(() => puller.close());
      puller.ask(1, 60_000);
    });
    refusing.unsubscribe();
    expect(ends).toEqual(times(5, () => 'cut'));
    expect(performance.now() - startedAt).toBeGreaterThan(5 * 40);
  });

  it('what waits in the process until its lease is over is not handed out there (nats-io/nats.go 1929)', async () => {
    const { driver } = await begin({ leaseMs: 1_000 });
    await send(driver, topic, ...times(6, n => message(`${n}`)));
    const stop = new AbortController();
    const consumed: (readonly [id: string, deliveries: number])[] = [];
    const slow = driver.consume(topic, group, { prefetch: 6, signal: stop.signal })[Symbol.asyncIterator]();
    const { value: first } = await slow.next();
    // The others are there, and nobody takes them
    await using other = new Reader(driver, topic, group, { each: each => each.ack() });
    await soon(async () => expect(other.received).toHaveLength(6));
    const last = message('last');
    await send(driver, topic, last);
    stop.abort();
    for (let next = await slow.next(); !next.done; next = await slow.next()) {
      consumed.push([next.value.id, next.value.deliveries]);
    }
    expect(consumed.filter(([id, deliveries]) => id !== last.id && deliveries === 1)).toEqual([]);
    await expect(first!.nack({ requeueAfterMs: 1 })).rejects.toMatchObject({
      code: 'ASHLAR_QUEUE_DELIVERY_LOST',
    });
  });

  it('what other programs publish to the subject is handed out, fails and dies like all else', async () => {
    const { driver, prefix } = await begin();
    const subject = await subjectOf(prefix);
    const odd = headers();
    odd.set('ashlar-delay', 'soon');
    odd.set('ashlar-deliveries', 'many');
    odd.set('ashlar-expires-at', '-');
    odd.append('x', 'a');
    odd.append('x', 'b');
    await site.admin.request(subject, Buffer.from('plain'));
    await site.admin.request(subject, Buffer.from('odd'), { headers: odd, timeout: 5_000 });
    await send(driver, topic, message('ours'));
    await using reader = new Reader(driver, topic, group, {
      each: each => (each.deliveries === 1 ? each.nack({ requeueAfterMs: 1 }) : each.nack({ dead: 'no' })),
    });
    const letters = () => driver.inspect!(topic, group, { limit: 9 });
    await soon(async () => expect(await letters()).toHaveLength(3));
    expect(new Set(reader.texts)).toEqual(new Set(['plain', 'odd', 'ours']));
    expect(new Set((await letters()).map(({ id }) => id)).size).toBe(3);
  });

  async function subjectOf(prefix: string): Promise<string> {
    const { data } = await site.admin.request(`$JS.API.STREAM.INFO.${prefix}_${topic}`);
    return (JSON.parse(new TextDecoder().decode(data)) as { config: { subjects: string[] } }).config
      .subjects[0]!;
  }
});
