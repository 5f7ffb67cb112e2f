import type { TierListener } from '../../tiers/remote-tier.ts';
import { RedisOperations } from './operations.ts';
import { RedisSession } from './session.ts';
import type { RedisTierSettings } from './settings.ts';

/** The sessions of one tier, and reads outside of them. */
export class RedisSessions {
  readonly #settings: RedisTierSettings;
  readonly #open = new Set<RedisSession>();
  #own: { readonly operations: RedisOperations; readers: number } | undefined;

  constructor(settings: RedisTierSettings) {
    this.#settings = settings;
  }

  open(listener: TierListener): RedisSession {
    const session = new RedisSession(this.#settings, listener);
    this.#open.add(session);
    session.ending.addEventListener('abort', () => this.#open.delete(session), { once: true });
    return session;
  }

  /** Over the connection of a session, or else over one of its own that lasts as long as such reads do. */
  async get(key: string): Promise<Uint8Array | undefined> {
    const [session] = this.#open;
    if (session !== undefined) return bytesOf(session, key);
    this.#own ??= { operations: new RedisOperations(this.#settings), readers: 0 };
    const own = this.#own;
    own.readers++;
    try {
      return await bytesOf(own.operations, key);
    } finally {
      if (--own.readers === 0) {
        this.#own = undefined;
        await own.operations.close();
      }
    }
  }
}

async function bytesOf(operations: RedisOperations, key: string): Promise<Uint8Array | undefined> {
  const [read] = await operations.read([key]);
  return read!.entry?.value;
}
