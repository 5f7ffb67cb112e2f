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
  if (typeof key === 'string') return key;
  throw refused('key', 'a string', key);
}
