import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import type { MessagePort, Worker } from 'node:worker_threads';
import { programArgs, startThread } from '@workspace/faults';
import { eventually } from '@workspace/services';
import { expect, it } from 'vitest';
import { follow, memoryStore, StoreClosedError, StoreTimeoutError } from '../../src/index.ts';
import { bytes, textOf } from '../support/bytes.ts';
import { ending } from '../support/stores.ts';

const soon = { withinMs: 20_000 };

function worker(port: MessagePort, times: number): Worker {
  const program = new URL('../fixtures/worker.ts', import.meta.url);
  const started = startThread(program, { workerData: { port, times }, transferList: [port] });
  ending({ [Symbol.asyncDispose]: async () => void (await started.terminate()) });
  return started;
}

it('counts from three threads without losing one', async () => {
  const store = ending(memoryStore());
  await store.set('count', bytes('0'));
  const workers = Array.from({ length: 3 }, () => worker(store.connect(), 50));
  const ends = await Promise.all(workers.map(async one => (await once(one, 'exit'))[0]));
  expect(ends).toEqual([0, 0, 0]);
  expect(textOf(await store.get('count'))).toBe('150');
});

it('publishes changes to a watch in another thread, and forgets it when the thread ends', async () => {
  const store = ending(memoryStore());
  const watching = worker(store.connect(), 0);
  await once(watching, 'message');
  expect(await store.claim('name', 'another', 1)).toBeUndefined();
  const told = once(watching, 'message');
  const version = await store.set('key', bytes('1'));
  expect((await told)[0]).toEqual({ type: 'put', entry: { key: 'key', value: bytes('1'), version } });
  await watching.terminate();
  await store.set('key', bytes('2'));
});

it('says what is known of an operation when its owner is gone, or does not answer', async () => {
  const owner = memoryStore();
  const store = ending(memoryStore({ port: owner.connect(), timeoutMs: 20 }));
  await store.set('key', bytes('1'));
  expect(store.snapshot()).toMatchObject({ state: 'connected', pending: 0 });
  await owner.close();
  await eventually(async () => expect(store.snapshot().state).toBe('disconnected'), soon);
  await expect(store.set('key', bytes('2'))).rejects.toMatchObject({
    code: StoreClosedError.code,
    outcome: 'NotExecuted',
    retryable: false,
  });
  const { port1, port2 } = new MessageChannel();
  const silent = ending(memoryStore({ port: port2, timeoutMs: 20 }));
  const late = { code: StoreTimeoutError.code, timeoutMs: 20 };
  await expect(silent.set('key', bytes('2'))).rejects.toMatchObject({ ...late, outcome: 'Unknown' });
  await expect(silent.get('key')).rejects.toMatchObject({ ...late, outcome: 'NotExecuted' });
  const pending = silent.release('name', 1n);
  pending.catch(() => {});
  port1.close();
  await expect(pending).rejects.toMatchObject({ code: StoreClosedError.code, outcome: 'Unknown' });
});

it('ends its watches when the owner closes, also those that begin later', async () => {
  const owner = memoryStore();
  const store = ending(memoryStore({ port: owner.connect() }));
  const { signal } = new AbortController();
  const watching = store.watch('', { signal })[Symbol.asyncIterator]().next();
  watching.catch(() => {});
  await store.set('key', bytes('1'));
  await watching;
  const following = (async () => {
    for await (const _ of follow(store, '', { signal }));
  })();
  following.catch(() => {});
  await owner.close();
  await expect(following).rejects.toThrow(
    'memory is closed: the thread that owns it has closed it or is gone',
  );
  const later = store.watch('', { signal })[Symbol.asyncIterator]().next();
  await expect(later).rejects.toMatchObject({ code: StoreClosedError.code, retryable: false });
  expect(store.snapshot()).toMatchObject({ state: 'disconnected', watches: 0 });
});

it('ends calls and watches when the thread of the owner ends', async () => {
  const owner = startThread(new URL('../../fuzz/sites/thread-owner.ts', import.meta.url));
  ending({ [Symbol.asyncDispose]: async () => void (await owner.terminate()) });
  await once(owner, 'message');
  owner.postMessage({ open: 1, ports: 1 });
  const [[port]] = (await once(owner, 'message')) as [[MessagePort]];
  const store = ending(memoryStore({ port, timeoutMs: 60_000 }));
  await store.set('key', bytes('1'));
  const { signal } = new AbortController();
  const watching = store.watch('', { signal })[Symbol.asyncIterator]().next();
  owner.postMessage({ busyMs: 60_000 });
  const writing = store.set('key', bytes('2')).catch((error: unknown) => error);
  await owner.terminate();
  await expect(watching).rejects.toThrow(StoreClosedError);
  expect(await writing).toBeInstanceOf(StoreClosedError);
  expect(await writing).toMatchObject({ outcome: 'Unknown' });
  await expect(store.get('key')).rejects.toThrow(StoreClosedError);
});

it('waits as long as it was told, also longer than a timer of Node can', async () => {
  const store = ending(memoryStore());
  const slow = ending(memoryStore({ port: store.connect(), timeoutMs: 3e9 }));
  await slow.set('key', bytes('1'));
  const { port2 } = new MessageChannel();
  const silent = ending(memoryStore({ port: port2, timeoutMs: 3e9 }));
  const pending = silent.get('key').catch((error: unknown) => error);
  for (let i = 0; i < 100; i++) await slow.set('key', bytes(String(i)));
  await silent.close();
  expect(await pending).toMatchObject({ code: StoreClosedError.code });
});

it('keeps no process alive', async () => {
  const args = programArgs(new URL('../fixtures/holds-a-lease.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
  expect(stdout).toBe('held\n');
});
