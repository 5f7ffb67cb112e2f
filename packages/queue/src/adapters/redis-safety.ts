import { type Client, serverFacts } from '@ashlar/store/redis-connection';
import { channels } from '../diagnostics.ts';
import { UnsafeBackendError } from '../errors.ts';

/** Checks, with each connection, whether a Redis keeps what it confirms. Warns of each fault once. */
export class RedisSafety {
  readonly #driver: string;
  readonly #allowEviction: boolean;
  readonly #warned = new Set<string>();

  constructor(driver: string, allowEviction: boolean) {
    this.#driver = driver;
    this.#allowEviction = allowEviction;
  }

  /** @throws UnsafeBackendError when it may evict messages */
  async check(client: Client, key: string): Promise<void> {
    const { maxmemoryPolicy, hasAof } = await serverFacts(client, key);
    if (hasAof === false) {
      this.#warn('Redis has no append-only file: its crash loses what it has confirmed');
    }
    if (maxmemoryPolicy === undefined || maxmemoryPolicy === 'noeviction') return;
    const text = `Redis may evict messages: its maxmemory-policy is ${maxmemoryPolicy}, not noeviction`;
    this.#warn(text);
    if (!this.#allowEviction) throw new UnsafeBackendError(text);
  }

  #warn(warning: string): void {
    if (this.#warned.has(warning) || !channels.warning.hasSubscribers) return;
    this.#warned.add(warning);
    channels.warning.publish({ driver: this.#driver, warning });
  }
}
