import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';

/** `state[0]`: whether it may answer; `state[1]`: requests that it received; `state[2]`: those that it answered. */
const program = `
  const { createServer, get } = require('node:http');
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
  parentPort.on('message', url => {
    get(url, { agent: false }, response => parentPort.postMessage(response.resume().statusCode));
  });
`;

/** A server in a thread of its own, which answers while the event loop of the test stands still. */
export class HeldAnswers {
  readonly url: string;
  readonly #worker: Worker;
  readonly #state: Int32Array;
  readonly #startedAt = performance.now();

  static async start(): Promise<HeldAnswers> {
    const state = new Int32Array(new SharedArrayBuffer(12));
    const worker = new Worker(program, { eval: true, workerData: state });
    onTestFinished(() => worker.terminate().then(() => {}));
    const [port] = await once(worker, 'message');
    return new HeldAnswers(`http://127.0.0.1:${port}`, worker, state);
  }

  private constructor(url: string, worker: Worker, state: Int32Array) {
    this.url = url;
    this.#worker = worker;
    this.#state = state;
  }

  /** Requests the url from its thread so many times; the statuses. */
  async get(url: string, times: number): Promise<number[]> {
    const statuses: number[] = [];
    const all = new Promise<void>(resolve => {
      this.#worker.on('message', status => {
        if (statuses.push(status) === times) resolve();
      });
    });
    for (let time = 0; time < times; time++) this.#worker.postMessage(url);
    await all;
    return statuses;
  }

  /**
   * Once so many requests have arrived, stands still until all are answered and `ms` have passed since the start. Timers
   * are then what comes next in the event loop, before I/O.
   */
  async standStill(requests: number, ms: number): Promise<void> {
    while (Atomics.load(this.#state, 1) < requests) await new Promise(resolve => setImmediate(resolve));
    Atomics.store(this.#state, 0, 1);
    while (Atomics.load(this.#state, 2) < requests || performance.now() < this.#startedAt + ms);
  }
}
