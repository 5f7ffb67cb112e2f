import { on, once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { startThread } from '@workspace/faults';
import { eventually } from '@workspace/services';
import { expect, it, onTestFinished } from 'vitest';
import { queueConformance } from '../src/conformance.ts';
import { type MemoryDriver, memoryDriver, messages, Queue, QueueClosedError } from '../src/index.ts';
import { sideBySide } from './support/side-by-side.ts';

const { capabilities } = memoryDriver();

queueConformance(
  sideBySide,
  async () => {
    const owner = memoryDriver({ leaseMs: 2_000 });
    const driver = memoryDriver({ port: owner.connect() });
    // Then it knows the lease
    await driver.declare('another', 'group');
    return {
      driver,
      other: async () => memoryDriver({ port: owner.connect() }),
      [Symbol.asyncDispose]: () => owner[Symbol.asyncDispose](),
    };
  },
  { name: 'memory through a port', capabilities, features: { others: true } },
);

it('a queue publishes through a port, one message or many', async () => {
  const owner = memoryDriver();
  onTestFinished(() => owner[Symbol.asyncDispose]());
  await using queue = new Queue(memoryDriver({ port: owner.connect() }), {
    messages: messages<{ work: number }>(),
  });
  const handled: number[] = [];
  await queue.subscribe('work', n => void handled.push(n), { concurrency: 1 });
  await queue.publish('work', 1, { id: 'one', key: 'a' });
  const published = await queue.publishMany('work', [2, 3]);
  expect(published).toEqual([expect.objectContaining({ ok: true }), expect.objectContaining({ ok: true })]);
  await eventually(async () => expect(handled.sort()).toEqual([1, 2, 3]), { withinMs: 20_000 });
});

/** Runs a fixture that uses the owner's driver. */
function start(fixture: string, owner: MemoryDriver): Worker {
  const program = new URL(`./fixtures/${fixture}`, import.meta.url);
  const port = owner.connect();
  const worker = startThread(program, { workerData: { port }, transferList: [port] });
  onTestFinished(async () => void (await worker.terminate()));
  return worker;
}

it('hands the messages of a thread that was terminated to another', async () => {
  const owner = memoryDriver({ leaseMs: 400 });
  await using queue = new Queue(owner, { messages: messages<{ work: { n: number } }>() });
  await queue.declare('work');
  const worker = start('stuck-thread.ts', owner);
  const told = once(worker, 'message');
  await queue.publish('work', { n: 17 });
  expect(await told).toEqual([17]);
  await worker.terminate();
  const handled: unknown[] = [];
  await queue.subscribe('work', async ({ n }, { attempt }) => void handled.push([n, attempt]));
  await eventually(async () => expect(handled).toEqual([[17, 2]]), { withinMs: 10_000 });
});

it('lets a thread end whose owner has closed, and its subscription says so', async () => {
  const owner = memoryDriver();
  await using queue = new Queue(owner, { messages: messages<{ work: { n: number } }>() });
  await queue.declare('work');
  const worker = start('consuming-thread.ts', owner);
  const told = on(worker, 'message', { close: ['exit'] });
  const ended = once(worker, 'exit');
  await queue.publish('work', { n: 17 });
  expect((await told.next()).value).toEqual([17]);
  await queue.close();
  expect((await told.next()).value).toEqual([
    { code: 'ASHLAR_QUEUE_CLOSED', retryInMs: undefined, state: 'failing', ok: false },
  ]);
  expect(await ended).toEqual([0]);
});

it('says what is known of a call when the owner is gone', async () => {
  const owner = memoryDriver();
  const driver = memoryDriver({ port: owner.connect() });
  await driver.declare('work', 'group');
  const consuming = driver
    .consume('work', 'group', { prefetch: 1, signal: new AbortController().signal })
    [Symbol.asyncIterator]()
    .next();
  const message = { id: 'a', body: new Uint8Array(), headers: {} };
  const publishing = driver.publish('work', [message]);
  await owner[Symbol.asyncDispose]();
  await expect(consuming).rejects.toThrow(QueueClosedError);
  expect((await publishing)[0]).toMatchObject({ ok: false });
  const later = (await driver.publish('work', [message]))[0];
  expect(later).toMatchObject({ ok: false, outcome: 'NotExecuted', error: { retryable: false } });
  await expect(driver.stats!('work', 'group')).rejects.toThrow(QueueClosedError);
});
