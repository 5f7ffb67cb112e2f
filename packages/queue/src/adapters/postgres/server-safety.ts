import { channels } from '../../diagnostics.ts';
import { UnsafeBackendError } from '../../errors.ts';
import type { Sessions } from './sessions.ts';

const settings = ['fsync', 'full_page_writes'] as const;

/** How long an answer holds: the configuration of a server may change, and so may the server behind an address. */
const checkAgainMs = 10_000;

/** Checks whether a server keeps what it confirms. Warns of each fault once. */
export class ServerSafety {
  readonly #sessions: Sessions;
  readonly #isStrict: boolean;
  readonly #warned = new Set<string>();
  #passedAt = -Infinity;
  #checking: Promise<void> | undefined;

  constructor(sessions: Sessions, isStrict: boolean) {
    this.#sessions = sessions;
    this.#isStrict = isStrict;
  }

  /** @throws UnsafeBackendError when a crash of the server may take back what it confirms */
  async pass(): Promise<void> {
    if (performance.now() < this.#passedAt + checkAgainMs) return;
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    await this.#checking;
  }

  async #check(): Promise<void> {
    const columns = settings.map(name => `current_setting('${name}') AS ${name}`);
    const [row] = await this.#sessions.run('a check', 'NotExecuted', `SELECT ${columns.join(', ')}`);
    const off = settings.filter(name => row![name] === 'off').map(name => `${name} is off`);
    if (off.length > 0) this.#judge(`PostgreSQL may lose what it confirmed: ${off.join(', ')}`);
    this.#passedAt = performance.now();
  }

  #judge(warning: string): void {
    if (channels.warning.hasSubscribers && !this.#warned.has(warning)) {
      this.#warned.add(warning);
      channels.warning.publish({ driver: 'postgres', warning });
    }
    if (this.#isStrict)
      throw new UnsafeBackendError(`${warning}; where that will do, write \`durability: 'asynchronous'\``);
  }
}
