import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Load } from './loads.ts';

export interface LoadMessage extends Omit<Load, 'name' | 'path'> {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly failed: number;
  readonly p99Ms: number;
  readonly seconds: number;
}

/** The load comes from a process of its own, one for all turns. */
export class Loader {
  readonly #child: ChildProcess = fork(new URL('./programs/load.ts', import.meta.url), {
    execArgv: ['--import', 'tsx'],
  });
  readonly #gone: Promise<unknown[]> = once(this.#child, 'exit');

  async put(message: LoadMessage): Promise<LoadResult> {
    this.#child.send(message);
    const gone = this.#gone.then(() => [undefined]);
    const answer = new Promise<[LoadResult]>(resolve => {
      this.#child.once('message', result => resolve([result as LoadResult]));
    });
    const [result] = await Promise.race([answer, gone]);
    if (result === undefined) throw new Error(`the load on ${message.url} ended without a result`);
    if (result.failed > 0 || result.requests === 0)
      throw new Error(`${result.failed} of ${result.requests} requests to ${message.url} failed`);
    return result;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }
}
