import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ServerFailedError } from '../errors.ts';
import { eventually } from '../polling.ts';
import { run } from '../processes/running.ts';
import type { User } from '../processes/user.ts';
import type { Provided, Running } from '../programs/program.ts';

/** How a server is started and known to be ready. */
export interface ServerOptions {
  /** What errors call it. */
  readonly name: string;
  readonly program: Provided;
  readonly args: readonly string[];
  /** Its own folder, from `temporaryDirectory`; removed by `stop`. It is also where it runs. */
  readonly directory: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The user it runs as, where that must not be root; see `otherUser`. */
  readonly user?: User | undefined;
  /** Rejects while the server is not ready. It is called again and again, so it must itself give up within about a second. */
  readonly ready: () => Promise<unknown>;
  /** How long the start may take. 30 000 by default. */
  readonly readyWithinMs?: number;
  /** What asks it to end. SIGTERM by default. */
  readonly stopSignal?: NodeJS.Signals;
  /** How long it may take to end on its own before it is killed. 5 000 by default. */
  readonly stopWithinMs?: number;
  /** What is left to do when it has been stopped, before its folder is removed. */
  readonly beforeRemoval?: () => Promise<void>;
}

/** A server that was started here, and what can be done to it. All of it goes when this process does. */
export interface Server extends AsyncDisposable {
  readonly name: string;
  /** The process id; another after `restart`. */
  readonly pid: number;
  /** Its configuration, data and log, until `stop`. */
  readonly directory: string;
  readonly running: boolean;
  /** Ends the server in good order, by SIGKILL if that takes too long, and removes its folder. Repeatable. */
  stop(): Promise<void>;
  /** SIGKILL to the server and all processes that it started; resolves when they are gone. The data stays. */
  kill(): Promise<void>;
  /** SIGSTOP to the same: it keeps its connections and says nothing. */
  pause(): void;
  /** SIGCONT: ends `pause`. */
  resume(): void;
  /** Sends the server itself a signal, such as SIGHUP. */
  signal(signal: NodeJS.Signals): void;
  /** Starts it again on the same ports and data, killing it first if it runs; resolves when it is ready. */
  restart(): Promise<void>;
  /** What it has written so far, output and errors, the last 64 KiB. */
  log(): Promise<string>;
}

/** Starts a server; resolves when it is ready. @throws ServerFailedError with the tail of its log. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const server = new LocalServer(options);
  try {
    await server.restart();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

class LocalServer implements Server {
  readonly #options: ServerOptions;
  readonly #logFile: string;
  #lastLog = '';
  #running: Running | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#logFile = join(options.directory, 'server.log');
  }

  get name(): string {
    return this.#options.name;
  }

  get directory(): string {
    return this.#options.directory;
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  get pid(): number {
    return this.#present().pid;
  }

  async restart(): Promise<void> {
    await this.kill();
    if (!existsSync(this.directory)) throw new Error(`${this.name} was stopped, and its data removed`);
    const { program } = this.#options;
    const running = await run(program, { ...this.#options, log: this.#logFile });
    this.#running = running;
    const ended = running.ended.then(how => {
      if (this.#running === running) this.#running = undefined;
      return how;
    });
    await this.#untilReady(ended);
  }

  async kill(): Promise<void> {
    await this.#running?.kill();
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running !== undefined) {
      running.resume();
      running.signal(this.#options.stopSignal ?? 'SIGTERM');
      await Promise.race([running.ended, delay(this.#options.stopWithinMs ?? 5_000)]);
      await running.kill();
    }
    this.#lastLog = await this.log();
    await this.#options.beforeRemoval?.();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 10 });
  }

  pause(): void {
    this.#present().pause();
  }

  resume(): void {
    this.#present().resume();
  }

  signal(signal: NodeJS.Signals): void {
    this.#present().signal(signal);
  }

  async log(): Promise<string> {
    const text = await readFile(this.#logFile, 'utf8').catch(() => this.#lastLog);
    return text.slice(-65_536);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #present(): Running {
    if (this.#running === undefined) throw new Error(`${this.name} is not running`);
    return this.#running;
  }

  async #untilReady(ended: Promise<string>): Promise<void> {
    const { ready, readyWithinMs = 30_000 } = this.#options;
    let end: string | undefined;
    const giveUp = ended.then(how => {
      end = how;
    });
    try {
      await eventually(ready, { withinMs: readyWithinMs, giveUp });
    } catch (error) {
      await this.kill();
      throw await this.#failed(
        end === undefined ? `was not ready within ${readyWithinMs} ms` : notReady(end),
        error,
      );
    }
    // What answered may have been another server on the same port, while this one ended for that reason.
    if (end !== undefined) throw await this.#failed(notReady(end));
  }

  async #failed(what: string, cause?: unknown): Promise<ServerFailedError> {
    const tail = (await this.log()).trim().split('\n').slice(-15).join('\n');
    return new ServerFailedError(this.name, what, tail, { cause });
  }
}

function notReady(end: string): string {
  return `ended (${end}) before it was ready`;
}
