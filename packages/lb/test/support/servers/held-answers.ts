import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';

/** `state[0]`: whether it may go on; `state[1]`: what it received or began; `state[2]`: what of it is done. */
const program = `
  const { Agent, createServer, request } = require('node:http');
  const { parentPort, workerData: state } = require('node:worker_threads');
  const whenFree = action => {
    if (Atomics.load(state, 0) === 0) return void setTimeout(whenFree, 5, action);
    action(() => Atomics.add(state, 2, 1));
  };
  const server = createServer((asked, response) => {
    Atomics.add(state, 1, 1);
    if (asked.url === '/half') response.writeHead(200, { 'content-length': 4 }).write('ok');
    asked.resume();
    whenFree(done => response.end('ok', done));
  });
  server.on('upgrade', (asked, socket) => {
    socket.on('error', () => {});
    const join = () => {
      socket.write('HTTP/1.1 101 Switching Protocols\\r\\nconnection: upgrade\\r\\nupgrade: echo\\r\\n\\r\\n');
      socket.pipe(socket);
    };
    if (asked.url === '/open') return join();
    Atomics.add(state, 1, 1);
    whenFree(done => (join(), done()));
  });
  const clients = {
    get: url => request(url, { agent: false }, response => parentPort.postMessage(response.resume().statusCode)).end(),
    /** The second half of the body follows when it may go on. */
    post(url, headers) {
      const posting = request(url, { agent: false, method: 'POST', headers }, response => {
        parentPort.postMessage(response.resume().statusCode);
      });
      posting.write('half', () => Atomics.add(state, 1, 1));
      whenFree(done => posting.end('half', done));
    },
    upgrade(url) {
      const asking = request(url, { agent: false, headers: { connection: 'upgrade', upgrade: 'echo' } });
      asking.on('response', response => parentPort.postMessage(response.resume().statusCode));
      asking.on('upgrade', (response, socket) => {
        parentPort.postMessage(response.statusCode);
        socket.on('error', () => {}).destroy();
      }).end();
    },
    /** Switches, says so, then writes when it may go on, and tells what comes back. */
    talk(url) {
      const asking = request(url, { agent: false, headers: { connection: 'upgrade', upgrade: 'echo' } });
      asking.on('upgrade', (response, socket) => {
        Atomics.add(state, 1, 1);
        socket.on('data', data => socket.end(() => parentPort.postMessage(String(data))));
        socket.on('error', () => {}).on('close', () => parentPort.postMessage('closed'));
        whenFree(done => socket.write('hello', done));
      }).end();
    },
  };
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  parentPort.on('message', ([client, ...given]) => clients[client](...given));
`;

type Client = 'get' | 'post' | 'upgrade' | 'talk';

/** A server and clients in a thread of their own, which go on while the event loop of the test stands still. */
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

  /** What so many clients of its thread say first: the statuses of their responses. */
  async ask(times: number, client: Client, url: string, headers: object = {}): Promise<unknown[]> {
    const answers: unknown[] = [];
    const all = new Promise<void>(resolve => {
      this.#worker.on('message', answer => {
        if (answers.push(answer) === times) resolve();
      });
    });
    for (let time = 0; time < times; time++) this.#worker.postMessage([client, url, headers]);
    await all;
    return answers;
  }

  /**
   * Once so many have begun, stands still until all are done and `ms` have passed since the start. Timers are then what comes
   * next in the event loop, before I/O.
   */
  async standStill(times: number, ms: number): Promise<void> {
    while (Atomics.load(this.#state, 1) < times) await new Promise(resolve => setImmediate(resolve));
    Atomics.store(this.#state, 0, 1);
    while (Atomics.load(this.#state, 2) < times || performance.now() < this.#startedAt + ms);
  }
}
