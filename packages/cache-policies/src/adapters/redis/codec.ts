import type { Argument } from '@ashlar/store/redis-connection';
import type { TierEntry } from '../../tiers/remote-tier.ts';

/** Some 300 years: what lasts longer has no end, since the scripts' times have 14 exact digits. */
const longestMs = 1e13;

/** An entry as the scripts take it: how long it is fresh and kept, cost, whether present, tags, bytes. */
export function argumentsOf({ value, freshMs, keepMs, costMs, tags }: TierEntry): Argument[] {
  return [
    freshMs > longestMs ? 'inf' : Math.floor(freshMs),
    keepMs > longestMs ? 'inf' : Math.max(1, Math.ceil(keepMs)),
    costMs,
    value === undefined ? 0 : 1,
    JSON.stringify(tags),
    value === undefined ? '' : Buffer.from(value.buffer, value.byteOffset, value.byteLength),
  ];
}

/** An entry as the read script returns it, text as bytes. */
export type EntryReply = readonly [
  fresh: Buffer,
  keepMs: number,
  cost: Buffer,
  present: number,
  tags: Buffer,
  bytes: Buffer,
];

export function entryFrom([fresh, keepMs, cost, present, tags, bytes]: EntryReply): TierEntry {
  const names = JSON.parse(String(tags)) as readonly string[];
  return {
    // a copy, because the client's buffer may be a small part of a large piece of memory
    value: present === 1 ? new Uint8Array(bytes) : undefined,
    freshMs: String(fresh) === 'inf' ? Number.POSITIVE_INFINITY : Number(fresh),
    keepMs: keepMs < 0 ? Number.POSITIVE_INFINITY : keepMs,
    costMs: Number(cost),
    // Lua writes an empty list as an empty object
    tags: Array.isArray(names) ? names : [],
  };
}
