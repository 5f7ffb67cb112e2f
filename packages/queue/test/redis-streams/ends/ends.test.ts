import { once } from 'node:events';
import { Peer, startThread } from '@workspace/faults';
import { startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { redisStreams } from '../../../src/adapters/redis-streams.ts';
import { messages, Queue } from '../../../src/index.ts';
import { ack, group, read, StreamsSite, soon, topic } from '../site.ts';
import type { ClusterMessage } from './cluster-process.ts';
import type { EndingMessage, EndingSettings } from './ending-process.ts';

/** How processes end, and what becomes of the message in their hands. */

const leaseMs = 2_000;
const program = new URL('./ending-process.ts', import.meta.url);

describeWith({ own: 'redis' }, 'a worker that ends with a message in hand', () => {
  const site = new StreamsSite();

  async function begin(how: EndingSettings['how']) {
    const { driver, prefix } = site.open({ leaseMs });
    const queue = new Queue(driver, { messages: messages<{ work: string }>() });
    onTestFinished(() => queue.close());
    await queue.declare(topic, group);
    await queue.publish(topic, 'text');
    const settings: EndingSettings = { port: site.server.port, prefix, leaseMs, how };
    return { driver, settings };
  }

  async function start(how: EndingSettings['how']) {
    const { driver, settings } = await begin(how);
    const peer = new Peer<EndingMessage>(program, settings);
    onTestFinished(() => peer.end());
    const ended = once(peer.process, 'exit');
    expect(await peer.next()).toBe('begun');
    return { driver, peer, ended };
  }

  it('by SIGTERM: the handler ends first, and the message never comes again', async () => {
    const { driver, peer, ended } = await start('ends');
    peer.process.kill('SIGTERM');
    expect(await peer.next()).toBe('done');
    expect(await ended).toEqual([0, null]);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, active: 0, delayed: 0, dead: 0 });
  });

  it('by SIGINT and then SIGKILL: what has not ended within `timeoutMs` of `close` comes at once, uncharged', async () => {
    const { driver, peer, ended } = await start('hangs');
    peer.process.kill('SIGINT');
    expect(await peer.next()).toBe('closed');
    peer.process.kill('SIGKILL');
    await ended;
    const reading = read(driver, group, ack);
    await reading.has(1);
    expect(reading.received[0]).toMatchObject({ deliveries: 1, failures: 0 });
  });

  for (const [how, code] of [
    ['exits', 3],
    ['strays', 1],
  ] as const) {
    it(`because its handler ${how === 'exits' ? 'calls process.exit' : 'leaves a promise that rejects to nobody'}: it comes again, charged as a crash`, async () => {
      const { driver, ended } = await start(how);
      expect(await ended).toEqual([code, null]);
      const reading = read(driver, group, ack);
      await reading.has(1);
      expect(reading.received[0]).toMatchObject({ deliveries: 2, failures: 0 });
    });
  }

  it('as a thread that is terminated: it comes again, charged as a crash', async () => {
    const { driver, settings } = await begin('hangs');
    const worker = startThread(program, { workerData: settings });
    onTestFinished(async () => void (await worker.terminate()));
    expect(await once(worker, 'message')).toEqual(['begun']);
    await worker.terminate();
    const reading = read(driver, group, ack);
    await reading.has(1);
    expect(reading.received[0]).toMatchObject({ deliveries: 2, failures: 0 });
  });

  it('as a worker of a cluster that is killed, and then is disconnected: another has it, charged as a crash, and ends it first', async () => {
    const { driver, settings } = await begin('ends');
    const peer = new Peer<ClusterMessage>(new URL('./cluster-process.ts', import.meta.url), settings);
    onTestFinished(() => peer.end());
    expect(await peer.next()).toEqual({ kind: 'begun', attempt: 1 });
    peer.process.send('kill');
    expect(await peer.next()).toEqual({ kind: 'exit', code: null, signal: 'SIGKILL' });
    expect(await peer.next()).toEqual({ kind: 'begun', attempt: 2 });
    peer.process.send('disconnect');
    expect(await peer.next()).toEqual({ kind: 'exit', code: 0, signal: null });
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, active: 0, delayed: 0, dead: 0 });
  });

  it('with a publish that is not answered: it is settled, and says so when the message may be there', async () => {
    const proxy = await startTcpProxy({ target: site.server.port });
    onTestFinished(() => proxy.stop());
    const { driver, prefix } = site.open();
    const redis = new Redis({ port: proxy.port, lazyConnect: true });
    const queue = new Queue(redisStreams({ redis, prefix }), { messages: messages<{ work: string }>() });
    await queue.declare(topic, group);
    await queue.publish(topic, 'before');
    proxy.hush();
    const publishing = queue.publish(topic, 'pending');
    const error = publishing.then(
      () => undefined,
      error => error,
    );
    await soon(async () => expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 2 }));
    await queue.close();
    expect(await error).toMatchObject({ outcome: 'Unknown' });
  });
});
