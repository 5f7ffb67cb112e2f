import type { Script } from '@ashlar/store/redis-connection';
import type { Verification } from '../../../moves/move-backend.ts';
import type { Sides } from './following.ts';
import * as scripts from './scripts.ts';
import { type Key, parts, type Side } from './side.ts';

/** Two servers delete a key that expires at their own times: so close to it, either may have done so. In milliseconds. */
const expiryMs = 1_000;
/** How often a key must differ, with nothing on the way, before it does. */
const looks = 3;
const maxNamed = 100;

interface Value {
  /** Empty where there is no such key. */
  readonly digest: string;
  /** Milliseconds since 1970; negative where it does not expire. */
  readonly expiresAt: number;
  readonly isDirty: boolean;
  /** By the server's clock, in milliseconds since 1970. */
  readonly now: number;
}

type Kind = 'missing' | 'extra' | 'different';

/** What differs, in the words of the engine. */
class Found {
  rows = 0;
  readonly #kinds: Record<Kind, string[]> = { missing: [], extra: [], different: [] };

  add(kind: Kind, key: Key): void {
    if (this.#kinds[kind].length < maxNamed) this.#kinds[kind].push(JSON.stringify(String(key)));
  }

  get verification(): Verification {
    const isEqual = Object.values(this.#kinds).every(keys => keys.length === 0);
    return { rows: this.rows, differences: isEqual ? [] : [{ table: 'keys', ...this.#kinds }] };
  }
}

/** Compares all keys of both, while the source is written: what is written meanwhile is compared behind the fence. */
export async function compareAll(sides: Sides): Promise<Verification> {
  const found = new Found();
  for await (const { keys } of sides.source.keys()) {
    found.rows += keys.length;
    await compareKeys(sides, keys, found);
  }
  // Those that the source has were compared, so only what it has not is found here
  for await (const { keys } of sides.target.keys()) await compareKeys(sides, keys, found, 'extra');
  return found.verification;
}

/** Compares the keys that have come since all were compared. @param forget whether those that are equal need not be compared again */
export async function compareTouched(sides: Sides, forget: boolean): Promise<Verification> {
  const { target } = sides;
  const found = new Found();
  let cursor = '0';
  do {
    const [next, keys] = (await target.run(scripts.members, target.touched, cursor)) as [Buffer, Key[]];
    cursor = String(next);
    found.rows += keys.length;
    const equal = await compareKeys(sides, keys, found);
    if (forget && equal.length > 0) await target.run(scripts.members, target.touched, '0', ...equal);
  } while (cursor !== '0');
  return found.verification;
}

/** Adds what differs, and answers what certainly does not. */
async function compareKeys(sides: Sides, all: readonly Key[], found: Found, only?: Kind): Promise<Key[]> {
  const equal: Key[] = [];
  for (const keys of parts(all)) {
    let doubtful: readonly Key[] = keys;
    let kinds = new Map<Key, Kind>();
    for (let look = 0; look < looks && doubtful.length > 0; look++) {
      // What is on the way is at the source first
      const script = look === 0 ? scripts.digests : scripts.contents;
      const at = await valuesOf(sides.source, script, doubtful, sides.source.dirty);
      const there = await valuesOf(sides.target, script, doubtful, sides.source.dirty);
      kinds = new Map();
      for (const [i, key] of doubtful.entries()) {
        const kind = compared(at[i]!, there[i]!);
        if (kind === 'equal') equal.push(key);
        else if (kind !== 'unknown') kinds.set(key, kind);
      }
      doubtful = [...kinds.keys()];
    }
    for (const [key, kind] of kinds) if (only === undefined || kind === only) found.add(kind, key);
  }
  return equal;
}

function compared(source: Value, target: Value): Kind | 'equal' | 'unknown' {
  if (source.isDirty) return 'unknown';
  if (source.digest === target.digest && source.expiresAt === target.expiresAt) return 'equal';
  if (source.digest !== '' && target.digest !== '') return 'different';
  const { expiresAt, now } = source.digest === '' ? target : source;
  if (expiresAt >= 0 && expiresAt < now + expiryMs) return 'unknown';
  return source.digest === '' ? 'extra' : 'missing';
}

async function valuesOf(side: Side, script: Script, keys: readonly Key[], dirty: string): Promise<Value[]> {
  const [now, ...all] = (await side.run(script, dirty, ...keys)) as Buffer[];
  return keys.map((_, i) => ({
    digest: String(all[3 * i]),
    expiresAt: Number(all[3 * i + 1]),
    isDirty: String(all[3 * i + 2]) === '1',
    now: Number(now),
  }));
}
