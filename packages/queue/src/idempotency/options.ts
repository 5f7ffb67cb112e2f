import { durationMs, functionOf, oneOf, type Rule, type RulesFor, readOptions, refused } from '@ashlar/core';
import type { Store } from '@ashlar/store';
import type { KeyOf } from './once.ts';

export interface IdempotencyOptions {
  /** Where the records and leases are: a store of their own, as its prefix or table is. Its crashes decide what is promised. */
  readonly store: Store;
  /**
   * How a repetition after a crash stays without effect. `external`: the handler passes `context.idempotencyKey` to a
   * service that takes one. `fenced`: it writes with `context.fence` to a sink that refuses older ones. Without a mode,
   * delivery is at least once, and duplicates are rare.
   */
  readonly mode?: 'external' | 'fenced';
  /** Names the record: messages with the same key are one. Default: the message's id. */
  readonly key?: KeyOf;
  /** Milliseconds that a record of success is kept: longer than a message can come again. Default: 86 400 000, a day. */
  readonly retentionMs?: number;
  /** Milliseconds until another may handle the message of a process that died. Default: 10 000. */
  readonly leaseMs?: number;
}

export type IdempotencySettings = {
  readonly store: Store;
  readonly mode: 'external' | 'fenced' | undefined;
  readonly key: KeyOf | undefined;
  readonly retentionMs: number;
  readonly leaseMs: number;
};

const anyStore: Rule<Store> = (value, option) => {
  const store = value as Partial<Store> | null | undefined;
  const has = ['get', 'set', 'claim', 'release'].every(
    name => typeof store?.[name as keyof Store] === 'function',
  );
  if (has) return store as Store;
  throw refused(option, 'a store', value, 'write `store: memoryStore()`, imported from @ashlar/store');
};

const rules = {
  store: anyStore,
  mode: oneOf(undefined, ['external', 'fenced']),
  key: functionOf<KeyOf>(),
  retentionMs: durationMs(86_400_000, { above: 0 }),
  leaseMs: durationMs(10_000, { min: 100 }),
} satisfies RulesFor<IdempotencyOptions>;

/** The rule of `idempotency`. */
export const idempotency: Rule<IdempotencySettings | undefined> = (value, option) =>
  value === undefined ? undefined : readOptions(`\`${option}\``, value, rules, `${option}.`);
