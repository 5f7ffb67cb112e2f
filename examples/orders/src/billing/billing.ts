import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type TransferListItem, Worker } from 'node:worker_threads';
import type { ShopBackend } from '../backends/backend.ts';
import type { Settings } from './main.ts';

const program = new URL('./main.js', import.meta.url);

/** A worker that ends between two instructions, without a word to anybody. */
interface Mortal {
  kill(): Promise<void>;
}

/** The worker that bills orders. One that is killed is replaced at once. */
export class Billing implements AsyncDisposable {
  killed = 0;
  readonly #backend: ShopBackend;
  readonly #payments: string;
  readonly #onKill: (killed: number) => void;
  readonly #onError: (error: Error) => void;
  #worker: Promise<Mortal>;
  #isEnding = false;

  constructor(
    backend: ShopBackend,
    payments: string,
    onKill: (killed: number) => void,
    onError: (error: Error) => void,
  ) {
    this.#backend = backend;
    this.#payments = payments;
    this.#onKill = onKill;
    this.#onError = onError;
    this.#worker = this.#start();
  }

  get ready(): Promise<unknown> {
    return this.#worker;
  }

  /** Of a thread, `terminate`; of a process, `SIGKILL`. */
  async kill(): Promise<void> {
    const worker = await this.#worker;
    this.#onKill(++this.killed);
    this.#worker = worker.kill().then(() => this.#start());
    await this.#worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    const worker = await this.#worker.catch(() => undefined);
    await worker?.kill();
  }

  async #start(): Promise<Mortal> {
    const { place, transfer } = this.#backend.connect();
    const settings: Settings = { place, payments: this.#payments };
    return place.driver === 'memory' ? this.#thread(settings, transfer) : this.#process(settings);
  }

  async #thread(workerData: Settings, transferList: readonly TransferListItem[]): Promise<Mortal> {
    const worker = new Worker(program, { workerData, transferList: [...transferList] });
    worker.on('error', error => this.#failed(error as Error));
    await Promise.race([once(worker, 'message'), once(worker, 'exit')]);
    return { kill: () => worker.terminate().then(() => {}) };
  }

  async #process(settings: Settings): Promise<Mortal> {
    const child = fork(fileURLToPath(program), [JSON.stringify(settings)]);
    let isKilled = false;
    child.once('exit', code => {
      if (!isKilled) this.#failed(new Error(`the billing worker ended with code ${code}`));
    });
    await Promise.race([once(child, 'message'), once(child, 'exit')]);
    return {
      async kill() {
        isKilled = true;
        await ended(child);
      },
    };
  }

  #failed(error: Error): void {
    if (!this.#isEnding) this.#onError(error);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
