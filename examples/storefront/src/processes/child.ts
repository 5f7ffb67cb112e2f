import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { AshlarError } from '@ashlar/core';
import type { Started } from './lifeline.ts';

/** A process of the storefront did not start, or ended when it should not. */
export class ChildError extends AshlarError {
  static override readonly code: string = 'STOREFRONT_CHILD';
}

const graceMs = 500;

/** A process with an HTTP server on loopback that this process started and ends. */
export class Child implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(process: ChildProcess, exited: Promise<unknown>, port: number) {
    this.#process = process;
    this.#exited = exited;
    this.port = port;
  }

  /** Resolves when it listens; `onMessage` hears all that it says. @throws ChildError when it cannot. */
  static async start(
    program: URL,
    settings: object,
    onMessage: (message: unknown) => void = () => {},
  ): Promise<Child> {
    const child = fork(fileURLToPath(program), [JSON.stringify(settings)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const exited = once(child, 'exit');
    exited.catch(() => {}); // An `error` is reported by the race; later ones are those of messages to a dead child.
    const port = new Promise<number>((resolve, reject) => {
      child.on('message', (message: Started) => {
        if (message.type === 'started') resolve(message.port);
        else if (message.type === 'failed') reject(new ChildError(message.why));
        else onMessage(message);
      });
    });
    const end = exited.then(([code, signal]) => {
      throw new ChildError(`it ended with ${signal ?? `exit code ${code}`}`);
    });
    const started = await Promise.race([port, end]);
    child.on('error', () => {});
    return new Child(child, exited, started);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  send(message: object | string): void {
    if (this.#process.connected) this.#process.send(message);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#process.on('message', listener);
  }

  /** Resolves when it has said something that is accepted. @throws ChildError when it ends before. */
  heard(accept: (message: unknown) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onMessage(message => accept(message) && resolve());
      this.#exited.then(
        () => reject(new ChildError(`process ${this.pid} ended while it was waited for`)),
        reject,
      );
    });
  }

  /** `SIGKILL`: it ends between two instructions. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }

  /** Lets it answer what it has accepted, for half a second at most. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#process.kill('SIGTERM');
    const impatient = setTimeout(() => this.#process.kill('SIGKILL'), graceMs);
    await this.#exited;
    clearTimeout(impatient);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
