import { backgroundClock, type Clock, clock, integer, type RulesFor, readOptions, text } from '@ashlar/core';
import { TierClosedError } from './errors.ts';
import { MemoryState } from './memory-state.ts';
import type {
  Fill,
  ReadOptions,
  RemoteTier,
  ResetReason,
  TierEntry,
  TierListener,
  TierRead,
  TierSession,
  TierSessionSnapshot,
} from './remote-tier.ts';
import { checkListener, checkTierKey } from './tier-rules.ts';

export interface MemoryTierOptions {
  /** Its name in errors and snapshots. Default: `memory`. */
  readonly name?: string;
  /** The most values that it keeps; the oldest go first. Default: 100 000. */
  readonly max?: number;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

const rules = {
  name: text('memory'),
  max: integer(100_000, { min: 1 }),
  clock: clock(backgroundClock),
} satisfies RulesFor<MemoryTierOptions>;

/** A tier in this process. */
export interface MemoryTier extends RemoteTier {
  /** Forgets everything, as a server that restarts empty: values, leases, tags. Each session calls `reset`. */
  empty(): void;
  snapshot(): {
    readonly name: string;
    readonly size: number;
    readonly leases: number;
    readonly sessions: number;
  };
}

/**
 * The second tier of several caches in one process, with the semantics of a shared server: for tests, and to begin
 * with. Other sessions are notified of a change before the operation that made it resolves.
 *
 * @throws InvalidOptionError
 */
export function memoryTier(options: MemoryTierOptions = {}): MemoryTier {
  const { name, max, clock } = readOptions('memoryTier', options, rules);
  return new MemoryTierServer(name, new MemoryState(clock, max));
}

class MemoryTierServer implements MemoryTier {
  readonly name: string;
  readonly sessions: Set<MemorySession> = new Set();
  readonly #state: MemoryState;

  constructor(name: string, state: MemoryState) {
    this.name = name;
    this.#state = state;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#state.read(checkTierKey(key)).entry?.value;
  }

  open(listener: TierListener): TierSession {
    const session = new MemorySession(this, this.#state, checkListener(listener));
    this.sessions.add(session);
    return session;
  }

  empty(): void {
    this.#state.clear();
    for (const { listener } of this.sessions) listener.reset('emptied');
  }

  snapshot(): ReturnType<MemoryTier['snapshot']> {
    const { size, leases } = this.#state;
    return { name: this.name, size, leases, sessions: this.sessions.size };
  }
}

const nothing: readonly never[] = [];

class MemorySession implements TierSession {
  readonly boundMs: number = 0;
  readonly confirmedUntil: number = Number.POSITIVE_INFINITY;
  readonly listener: TierListener;
  readonly #tier: MemoryTierServer;
  readonly #state: MemoryState;

  constructor(tier: MemoryTierServer, state: MemoryState, listener: TierListener) {
    this.#tier = tier;
    this.#state = state;
    this.listener = listener;
  }

  async read(keys: readonly string[], options?: ReadOptions): Promise<readonly TierRead[]> {
    this.#assertOpen();
    return keys.map(key => this.#state.read(key, options));
  }

  async fill(fills: readonly Fill[]): Promise<readonly boolean[]> {
    this.#assertOpen();
    return fills.map(fill => this.#state.fill(fill));
  }

  async write(entries: ReadonlyMap<string, TierEntry>): Promise<void> {
    this.#assertOpen();
    this.#state.write(entries);
    this.#notify([...entries.keys()], nothing);
  }

  async invalidate(keys: readonly string[]): Promise<void> {
    this.#assertOpen();
    this.#state.invalidate(keys);
    this.#notify(keys, nothing);
  }

  async announce(keys: readonly string[], leaseMs: number): Promise<readonly string[]> {
    this.#assertOpen();
    const leases = this.#state.announce(keys, leaseMs);
    this.#notify(keys, nothing);
    return leases;
  }

  async release(
    leases: readonly { readonly key: string; readonly lease: string }[],
  ): Promise<readonly boolean[]> {
    this.#assertOpen();
    return leases.map(({ key, lease }) => this.#state.release(key, lease));
  }

  async invalidateTags(tags: readonly string[]): Promise<void> {
    this.#assertOpen();
    this.#state.invalidateTags(tags);
    this.#notify(nothing, tags);
  }

  async clear(): Promise<void> {
    this.#assertOpen();
    this.#state.clear();
    this.#each(listener => listener.reset('cleared' satisfies ResetReason));
  }

  snapshot(): TierSessionSnapshot {
    return {
      tier: this.#tier.name,
      connected: this.#tier.sessions.has(this),
      sequence: this.#state.sequence,
    };
  }

  async close(): Promise<void> {
    this.#tier.sessions.delete(this);
  }

  #notify(keys: readonly string[], tags: readonly string[]): void {
    this.#each(listener => listener.invalidated({ keys, tags }));
  }

  #each(notify: (listener: TierListener) => void): void {
    for (const session of this.#tier.sessions) if (session !== this) notify(session.listener);
  }

  #assertOpen(): void {
    if (!this.#tier.sessions.has(this)) throw new TierClosedError(this.#tier.name);
  }
}
