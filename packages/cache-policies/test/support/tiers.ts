import { ManualClock } from '@ashlar/core/testing';
import type { TierSubject } from '../../src/conformance.ts';
import {
  type MemoryTier,
  memoryTier,
  type RemoteTier,
  type TierEntry,
  type TierListener,
  type TierSession,
  TierUnavailableError,
} from '../../src/index.ts';

export const nobody: TierListener = { invalidated() {}, reset() {}, connection() {} };

export function entry(text: string, tags: readonly string[] = []): TierEntry {
  return { value: new TextEncoder().encode(text), freshMs: 60_000, keepMs: 60_000, costMs: 1, tags };
}

export interface ManualTier extends TierSubject {
  readonly clock: ManualClock;
  readonly tier: MemoryTier;
}

/** A memory tier whose time is moved by hand, as a subject of the suite. */
export function manualTier(): ManualTier {
  const clock = new ManualClock();
  const tier = memoryTier({ clock });
  return {
    clock,
    tier,
    now: () => clock.now(),
    pass: ms => clock.advance(ms),
    empty: async () => tier.empty(),
    async [Symbol.asyncDispose]() {},
  };
}

/** A tier that can be away, and tells so, or stay silent about it. */
export function failingTier(tier: MemoryTier): {
  readonly remote: RemoteTier;
  readonly state: { away: boolean; confirmedUntil: number };
  tell(connection: 'connected' | 'disconnected'): void;
} {
  const listeners: TierListener[] = [];
  const state = { away: false, confirmedUntil: Number.POSITIVE_INFINITY };
  const remote: RemoteTier = {
    name: 'failing',
    get: key => tier.get(key),
    open: listener => {
      listeners.push(listener);
      return new Proxy(tier.open(listener), {
        get(target, property) {
          if (property === 'confirmedUntil') return state.confirmedUntil;
          const value = Reflect.get(target, property, target) as unknown;
          if (typeof value !== 'function') return value;
          if (property === 'snapshot' || property === 'close') return value.bind(target);
          return async (...args: unknown[]) => {
            if (state.away) throw new TierUnavailableError('away', 'NotExecuted');
            return (value as (...args: unknown[]) => unknown).apply(target, args);
          };
        },
      }) as TierSession;
    },
  };
  const tell = (connection: 'connected' | 'disconnected') => {
    state.away = connection === 'disconnected';
    for (const listener of listeners) {
      if (connection === 'connected') listener.reset('reconnected');
      listener.connection(connection);
    }
  };
  return { remote, state, tell };
}
