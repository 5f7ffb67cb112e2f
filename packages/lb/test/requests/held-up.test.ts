import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { LoadBalancer } from '../../src/index.ts';

const requests = 12;
const timeoutMs = 1_500;

/** Answers when it is told so by `state[0]`, and counts in `state[1]` what it received and in `state[2]` what it answered. */
const program = `
  const { createServer } = require('node:http');
  const { parentPort, workerData: state } = require('node:worker_threads');
  const server = createServer((_, response) => {
    Atomics.add(state, 1, 1);
    const answer = () => {
      if (Atomics.load(state, 0) === 0) return void setTimeout(answer, 5);
      response.end('ok', () => Atomics.add(state, 2, 1));
    };
    answer();
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

it('takes what arrived in time while the event loop stood still, and blames nobody', async () => {
  const state = new Int32Array(new SharedArrayBuffer(12));
  const worker = new Worker(program, { eval: true, workerData: state });
  onTestFinished(() => worker.terminate().then(() => {}));
  const [port] = await once(worker, 'message');
  const url = `http://127.0.0.1:${port}`;
  await using lb = new LoadBalancer({ endpoints: ['a', 'b'].map(id => ({ id, url })) });
  const startedAt = performance.now();
  const answers = Array.from({ length: requests }, () =>
    lb
      .run(async ({ endpoint, signal }) => (await fetch(endpoint.url, { signal })).text(), { timeoutMs })
      .catch(error => error),
  );
  while (Atomics.load(state, 1) < requests) await new Promise(resolve => setImmediate(resolve));

  // Timers are what comes next in the event loop, before I/O
  Atomics.store(state, 0, 1);
  while (Atomics.load(state, 2) < requests || performance.now() < startedAt + timeoutMs + 500);
  expect(await Promise.all(answers)).toEqual(new Array(requests).fill('ok'));
  expect(lb.snapshot().endpoints).toMatchObject([{ failed: 0 }, { failed: 0 }]);
});
