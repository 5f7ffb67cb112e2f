import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, onTestFinished } from 'vitest';

const program = fileURLToPath(new URL('./replica.mjs', import.meta.url));

interface Message {
  readonly event: string;
  readonly port?: number;
  readonly connections?: number;
}

/** Processes that tests have left in good order, for the next one. */
const parked: { readonly child: ChildProcess; readonly url: string }[] = [];
afterAll(() => Promise.all(parked.splice(0).map(({ child }) => end(child))).then(() => {}));

/** A server in a process of its own, the test's alone until it has finished. */
export class Replica {
  readonly id: string;
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #seen = new Map<string, number>();
  #connections = 0;
  #frozen = false;

  static async start(id: string): Promise<Replica> {
    const { child, url } = parked.pop() ?? (await spawn());
    const replica = new Replica(id, url, child);
    await replica.mode('ok');
    replica.#seen.clear();
    return replica;
  }

  static all(...ids: string[]): Promise<Replica[]> {
    return Promise.all(ids.map(id => Replica.start(id)));
  }

  private constructor(id: string, url: string, child: ChildProcess) {
    this.id = id;
    this.url = url;
    this.#child = child;
    const count = ({ event, connections = 0 }: Message) => {
      this.#seen.set(event, this.times(event) + 1);
      if (event === 'mode') this.#connections = connections;
    };
    child.on('message', count);
    onTestFinished(async () => {
      child.off('message', count);
      if (child.connected && !this.#frozen) parked.push({ child, url });
      else await end(child);
    });
  }

  /** How often it told of an event. */
  times(event: string): number {
    return this.#seen.get(event) ?? 0;
  }

  /** Resolves when it has told of the event so many times. */
  async saw(event: string, times = 1): Promise<void> {
    while (this.times(event) < times) await once(this.#child, 'message');
  }

  /** Sets how it answers from now on; gives how many connections it has. */
  async mode(mode: string): Promise<number> {
    const before = this.times('mode');
    this.#child.send({ mode, id: this.id });
    await this.saw('mode', before + 1);
    return this.#connections;
  }

  kill(): Promise<void> {
    return end(this.#child);
  }

  /** Keeps its connections, and the kernel goes on accepting new ones, but nobody answers. */
  freeze(): void {
    this.#frozen = true;
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#frozen = false;
    this.#child.kill('SIGCONT');
  }
}

async function spawn(): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(program, [], { stdio: 'inherit' });
  const [{ port }] = (await once(child, 'message')) as [Message];
  return { child, url: `http://127.0.0.1:${port}` };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
