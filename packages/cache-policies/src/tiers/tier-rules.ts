import { objectWith, refused, required } from '@ashlar/core';
import type { TierListener } from './remote-tier.ts';

const advice = 'a cache opens its tier itself: `new Cache({ remote, … })`';
const listenerRule = required(
  objectWith<TierListener>(['invalidated', 'reset', 'connection'], advice),
  advice,
);

/** @throws InvalidOptionError */
export function checkListener(listener: unknown): TierListener {
  return listenerRule(listener, 'listener');
}

/** @throws InvalidOptionError */
export function checkTierKey(key: unknown): string {
  if (typeof key !== 'string') throw refused('key', 'a string', key);
  if (isWellFormed(key)) return key;
  throw refused('key', 'a well-formed string', key, 'it has half a surrogate pair, and so no UTF-8 form');
}

/** Strings with half a surrogate pair have no UTF-8 form: as bytes, different ones would be the same. */
export function isWellFormed(text: string): boolean {
  // in Node since 20, in the types of TypeScript with ES2024
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
