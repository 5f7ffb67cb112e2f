import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export type Mode = 'well' | 'slow' | 'failing';

interface Message {
  readonly port?: number;
  readonly mode?: Mode;
  readonly error?: string;
}

const program = fileURLToPath(new URL('./backend.mjs', import.meta.url));

/** Servers in processes of their own: on one port, each at an address of its own, as behind one name in DNS. */
export class Backends implements AsyncDisposable {
  readonly port: number;
  readonly addresses: readonly string[];
  readonly #children: readonly ChildProcess[];

  private constructor(port: number, children: ReadonlyMap<string, ChildProcess>) {
    this.port = port;
    this.addresses = [...children.keys()];
    this.#children = [...children.values()];
  }

  static async start(count: number): Promise<Backends> {
    const children = new Map<string, ChildProcess>();
    let port = 0;
    for (let i = 1; i <= count; i++) {
      const address = `127.0.0.${i}`;
      const child = fork(program, [address, `${port}`], { execArgv: [] });
      children.set(address, child);
      const [said] = (await once(child, 'message')) as [Message];
      if (said.port === undefined) throw new Error(`no server at ${address}:${port}: ${said.error}`);
      port = said.port;
    }
    return new Backends(port, children);
  }

  get urls(): string[] {
    return this.addresses.map(address => `http://${address}:${this.port}`);
  }

  /** Changes the first one. */
  async degrade(mode: Mode): Promise<void> {
    const first = this.#children[0]!;
    first.send(mode);
    await once(first, 'message');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#children.map(child => {
        child.disconnect();
        return once(child, 'exit');
      }),
    );
  }
}
