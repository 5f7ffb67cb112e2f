import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { programArgs } from './program.ts';

/** A process of its own, which talks over the channel of Node; it can be stopped, and ends with `end`. */
export class Peer<Message> {
  readonly process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #said: Message[] = [];
  #heard: (() => void) | undefined;

  /** Runs a TypeScript program on the sources of the packages, with the settings in its arguments. */
  constructor(program: URL, settings: unknown) {
    this.process = spawn(process.execPath, programArgs(program, JSON.stringify(settings)), {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#ended = once(this.process, 'exit');
    this.process.on('message', message => {
      this.#said.push(message as Message);
      this.#heard?.();
    });
  }

  /** Its next message, in their order. Rejects when it has ended. One caller at a time. */
  async next(): Promise<Message> {
    while (this.#said.length === 0) {
      const ended = this.#ended.then(() => {
        throw new Error('the process has ended');
      });
      const heard = new Promise<void>(resolve => {
        this.#heard = resolve;
      });
      await Promise.race([heard, ended]);
    }
    return this.#said.shift()!;
  }

  async end(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#ended;
  }
}
