import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Settings, Told } from '../contender/messages.ts';
import type { Home } from '../ground/ground.ts';

/** What a contender says, and what is done to it. */
export type Happening =
  | Told
  | { readonly told: 'started' | 'killed' | 'stopped' | 'resumed' }
  | { readonly told: 'ended'; readonly how: string };

export type State = 'starting' | 'waiting' | 'leading' | 'stopped' | 'dead';

const program = fileURLToPath(new URL('../contender/main.js', import.meta.url));
/** After which a process that has ended is replaced. */
const restartMs = 1_000;

/** One of the places in the contest, and the process that has it now. */
export class Contender implements AsyncDisposable {
  readonly number: number;
  readonly #settings: Settings;
  readonly #home: Home;
  readonly #happened: (happening: Happening) => void;
  #child!: ChildProcess;
  #said: 'starting' | 'waiting' | 'leading' = 'starting';
  #state: 'running' | 'stopped' | 'dead' = 'running';
  #restart: NodeJS.Timeout | undefined;

  constructor(number: number, settings: Settings, home: Home, happened: (happening: Happening) => void) {
    this.number = number;
    this.#settings = settings;
    this.#home = home;
    this.#happened = happened;
    this.#start();
  }

  get state(): State {
    return this.#state === 'running' ? this.#said : this.#state;
  }

  /** `SIGKILL`: it ends between two instructions, and a new process takes its place after a second. */
  kill(): void {
    if (this.#state === 'dead') return;
    this.#happened({ told: 'killed' });
    this.#child.kill('SIGKILL');
  }

  /** `SIGSTOP`: it stands still between two instructions and does not know. */
  stop(): void {
    if (this.#state !== 'running') return;
    this.#child.kill('SIGSTOP');
    this.#state = 'stopped';
    this.#happened({ told: 'stopped' });
  }

  /** `SIGCONT`, or a new process where there is none. */
  resume(): void {
    if (this.#state === 'dead') this.#start();
    if (this.#state !== 'stopped') return;
    this.#state = 'running';
    this.#happened({ told: 'resumed' });
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
    this.#home.attach?.(child);
    child.on('error', () => {}); // such as a message to one that has just ended
    child.on('message', (message: Partial<Told>) => {
      if (message.told !== undefined) this.#hear(message as Told);
    });
    child.on('exit', (code, signal) => {
      this.#state = 'dead';
      this.#restart = setTimeout(() => this.#start(), restartMs);
      this.#happened({ told: 'ended', how: signal ?? `exit code ${code}` });
    });
    this.#happened({ told: 'started' });
  }

  #hear(told: Told): void {
    if (told.told === 'waiting' || told.told === 'leading') this.#said = told.told;
    this.#happened(told);
  }
}
