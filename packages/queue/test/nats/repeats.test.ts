import { randomUUID } from 'node:crypto';
import { connect, headers } from '@nats-io/transport-node';
import { startNats } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { nats } from '../../src/adapters/nats.ts';
import type { Driver } from '../../src/index.ts';

const soon = { timeout: 20_000 };
const message = (id: string) => ({ id, body: Buffer.from(id), headers: {} });
const published = { ok: true };
const repeated = { ok: true, isDuplicate: true };

/** A server of its own, a driver over it, and another client that looks at the stream of the topic. */
async function site(options: { readonly deduplicationMs?: number } = {}) {
  const server = await startNats({ own: true });
  onTestFinished(() => server.stop());
  const servers = `127.0.0.1:${server.port}`;
  const prefix = randomUUID();
  const driver = nats({ connection: { servers }, prefix, ...options });
  onTestFinished(() => driver[Symbol.asyncDispose]());
  await driver.declare('work', 'group');
  const raw = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  onTestFinished(() => raw.close());
  const asked = async (subject: string, body = '', options = {}) =>
    JSON.parse((await raw.request(subject, body, { timeout: 5_000, ...options })).string());
  const info = () => asked(`$JS.API.STREAM.INFO.${prefix}_work`);
  return {
    server,
    driver,
    raw,
    prefix,
    asked,
    /** What the stream has, and how many it has ever had. */
    stored: async () => {
      const { state } = await info();
      return { messages: state.messages, ever: state.last_seq };
    },
    /** As a program publishes that knows nothing of the driver. */
    rawPublish: async (id: string) => {
      const { config } = await info();
      const named = headers();
      named.set('Nats-Msg-Id', id);
      return asked(config.subjects[0], 'raw', { headers: named });
    },
  };
}

/** Handles what comes, until the test is over. */
function handling(driver: Driver): readonly string[] {
  const handled: string[] = [];
  const stop = new AbortController();
  const consuming = (async () => {
    for await (const delivery of driver.consume('work', 'group', { prefetch: 5, signal: stop.signal })) {
      await delivery.ack();
      handled.push(delivery.id);
    }
  })();
  onTestFinished(() => {
    stop.abort();
    return consuming;
  });
  return handled;
}

describeWith([{ own: 'nats' }], 'an id that is published to NATS again', () => {
  it('is one message for JetStream itself, whoever publishes it again', async () => {
    const { driver, stored, rawPublish } = await site();
    expect(await driver.publish('work', [message('a'), message('b'), message('a')])).toEqual([
      published,
      published,
      repeated,
    ]);
    expect(await driver.publish('work', [message('b')])).toEqual([repeated]);
    expect(await rawPublish('a')).toMatchObject({ duplicate: true });
    expect(await stored()).toEqual({ messages: 2, ever: 2 });
    // The other way round
    expect(await rawPublish('c')).not.toHaveProperty('duplicate');
    expect(await driver.publish('work', [message('c')])).toEqual([repeated]);
    expect(await stored()).toEqual({ messages: 3, ever: 3 });
  });

  it('is one message within the window although it was handled, and another after it', async () => {
    const { driver, stored } = await site({ deduplicationMs: 1_000 });
    const handled = handling(driver);
    expect(await driver.publish('work', [message('a')])).toEqual([published]);
    await expect.poll(stored, soon).toEqual({ messages: 0, ever: 1 });
    expect((await driver.publish('work', [message('a')]))[0]!.ok).toBe(true);
    await expect.poll(async () => (await driver.publish('work', [message('a')]))[0], soon).toEqual(published);
    await expect.poll(() => handled.length, soon).toBeGreaterThanOrEqual(2);
  });

  it('is one message after a restart of the server while it waits, and another when it was handled before', async () => {
    const { server, driver, stored } = await site();
    await driver.publish('work', [message('handled')]);
    const stop = new AbortController();
    for await (const delivery of driver.consume('work', 'group', { prefetch: 1, signal: stop.signal })) {
      await delivery.ack();
      stop.abort();
    }
    await expect.poll(stored, soon).toEqual({ messages: 0, ever: 1 });
    await driver.publish('work', [message('waiting')]);
    const again = () => driver.publish('work', [message('handled'), message('waiting')]);
    expect(await again()).toEqual([repeated, repeated]);
    await server.kill();
    await server.restart();
    await expect.poll(stored, soon).toEqual({ messages: 1, ever: 2 });
    // JetStream knows the ids of what it still has, and takes the window from that
    expect(await again()).toEqual([published, repeated]);
    expect(await stored()).toEqual({ messages: 2, ever: 3 });
  });

  it('is not taken for stored as long as JetStream does not say at which place (nats-io/nats-server 6415)', async () => {
    const { driver, raw, prefix, asked } = await site();
    const name = `${prefix}_work`;
    const { config } = await asked(`$JS.API.STREAM.INFO.${name}`);
    const elsewhere = { ...config, subjects: [`elsewhere.${prefix}`] };
    await asked(`$JS.API.STREAM.UPDATE.${name}`, JSON.stringify(elsewhere));
    // A cluster of NATS 2.10 answers so, and one of 2.11 or later, when it changes its leader
    const answers = [
      { seq: 0, duplicate: true },
      { seq: 0, error: { err_code: 10_158, description: 'duplicate message id is in process' } },
      { seq: 17, duplicate: true },
    ];
    raw.subscribe(config.subjects[0], {
      callback: (_, request) =>
        void raw.publish(request.reply!, JSON.stringify({ stream: name, ...answers.shift() })),
    });
    await raw.flush();
    const unknown = { ok: false, outcome: 'Unknown' };
    expect(await driver.publish('work', [message('a')])).toMatchObject([unknown]);
    expect(await driver.publish('work', [message('a')])).toMatchObject([unknown]);
    expect(await driver.publish('work', [message('a')])).toEqual([repeated]);
  });

  it('leaves a message that failed where it is as long as JetStream does not say that it has it again', async () => {
    const { driver, raw, prefix, asked, stored } = await site();
    await driver.publish('work', [message('a')]);
    const stop = new AbortController();
    const options = { prefetch: 1, signal: stop.signal };
    const consuming = driver.consume('work', 'group', options)[Symbol.asyncIterator]();
    const { value: delivery } = await consuming.next();
    await asked(`$JS.API.STREAM.DELETE.${prefix}_work_group`);
    const ready = `${prefix}.work.to.group.ready`;
    const answer = { stream: 'again', seq: 0, duplicate: true };
    raw.subscribe(ready, {
      callback: (_, request) => void raw.publish(request.reply!, JSON.stringify(answer)),
    });
    await raw.flush();
    await expect(delivery!.nack({})).rejects.toMatchObject({ outcome: 'Unknown' });
    expect(await stored()).toMatchObject({ messages: 1 });
    answer.seq = 1;
    await delivery!.nack({});
    expect(await stored()).toMatchObject({ messages: 0 });
    stop.abort();
    await consuming.return?.();
  });
});
