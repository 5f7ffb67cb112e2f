import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ParentBackend } from '../backends/backend.ts';
import type { Message, Settings } from '../contender/messages.ts';

/** What a contender reports, and what is done to it. */
export type ContenderEvent =
  | Message
  | { readonly type: 'started' | 'killed' | 'stopped' | 'resumed' }
  | { readonly type: 'ended'; readonly how: string };

export type State = 'starting' | 'waiting' | 'leading' | 'stopped' | 'dead';

const program = fileURLToPath(new URL('../contender/main.js', import.meta.url));
/** After which a process that has ended is replaced. */
const restartMs = 1_000;

/** One of the places in the contest, and the process that has it now. */
export class Contender implements AsyncDisposable {
  readonly number: number;
  readonly #settings: Settings;
  readonly #backend: ParentBackend;
  readonly #onEvent: (event: ContenderEvent) => void;
  #child!: ChildProcess;
  #said: 'starting' | 'waiting' | 'leading' = 'starting';
  #state: 'running' | 'stopped' | 'dead' = 'running';
  #restart: NodeJS.Timeout | undefined;

  constructor(
    number: number,
    settings: Settings,
    backend: ParentBackend,
    onEvent: (event: ContenderEvent) => void,
  ) {
    this.number = number;
    this.#settings = settings;
    this.#backend = backend;
    this.#onEvent = onEvent;
    this.#start();
  }

  get state(): State {
    return this.#state === 'running' ? this.#said : this.#state;
  }

  /** `SIGKILL`: it ends between two instructions, and a new process takes its place after a second. */
  kill(): void {
    if (this.#state === 'dead') return;
    this.#onEvent({ type: 'killed' });
    this.#child.kill('SIGKILL');
  }

  /** `SIGSTOP`: it stands still between two instructions and does not know. */
  stop(): void {
    if (this.#state !== 'running') return;
    this.#child.kill('SIGSTOP');
    this.#state = 'stopped';
    this.#onEvent({ type: 'stopped' });
  }

  /** `SIGCONT`, or a new process where there is none. */
  resume(): void {
    if (this.#state === 'dead') this.#start();
    if (this.#state !== 'stopped') return;
    this.#state = 'running';
    this.#onEvent({ type: 'resumed' });
    this.#child.kill('SIGCONT');
  }

  /** At once, stopped or not. */
  end(): void {
    clearTimeout(this.#restart);
    this.#child.removeAllListeners('exit').on('error', () => {});
    this.#child.kill('SIGKILL');
  }

  /** Resolves when it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) await once(this.#child, 'exit');
  }

  #start(): void {
    clearTimeout(this.#restart);
    [this.#state, this.#said] = ['running', 'starting'];
    const child = fork(program, [JSON.stringify(this.#settings)], {
      execArgv: [],
      serialization: 'advanced', // tokens are bigints
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    this.#backend.attach?.(child);
    child.on('error', () => {}); // such as a message to one that has just ended
    child.on('message', (message: Partial<Message>) => {
      if (message.type !== undefined) this.#record(message as Message);
    });
    child.on('exit', (code, signal) => {
      this.#state = 'dead';
      this.#restart = setTimeout(() => this.#start(), restartMs);
      this.#onEvent({ type: 'ended', how: signal ?? `exit code ${code}` });
    });
    this.#onEvent({ type: 'started' });
  }

  #record(message: Message): void {
    if (message.type === 'waiting' || message.type === 'leading') this.#said = message.type;
    this.#onEvent(message);
  }
}
