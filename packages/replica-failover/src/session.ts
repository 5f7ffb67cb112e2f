/** A place in the history of a resource. */
export interface Position {
  /** The branch of history: it grows with each promotion. PostgreSQL's timeline. */
  readonly term: number;
  /** The place in that branch, in the resource's own unit: PostgreSQL's LSN. */
  readonly offset: bigint;
}

/** A serialized session has at most this many characters: it fits into a cookie. */
export const maxSessionLength = 2_000;

const version = '1';
const separator = '~';
const overflow = '+';

/**
 * What a caller has seen, a position for each resource (a replica set or a shard, by its name). Serialized into a header or
 * a cookie, it lets the next request read what this one wrote, on any replica.
 *
 * A session of so many resources that it would be too long forgets the positions that were advanced longest ago, and
 * notes that it did. A text that no session wrote is such a session. Of every resource that it may have forgotten it says
 * `unknown` from then on, which the primary must serve: never less than was promised.
 */
export class Session {
  // In the order of their last advance
  readonly #positions = new Map<string, Position | 'unknown'>();
  #length = version.length;
  #hasForgotten = false;

  /** @param serialized from `serialize`; anything else counts as a session that has forgotten everything */
  constructor(serialized?: string) {
    if (serialized !== undefined && !this.#read(serialized)) {
      this.#positions.clear();
      this.#length = version.length;
      this.#hasForgotten = true;
    }
  }

  /** Only letters, digits and `~ = . % + - _ !`: fit for a header, a cookie and, escaped, a URL. */
  serialize(): string {
    const entries = [...this.#positions].map(each => entryOf(...each));
    return [version, ...entries, ...(this.#hasForgotten ? [overflow] : [])].join(separator);
  }

  /** What it has seen of the resource; undefined for nothing, `unknown` for what was forgotten. */
  position(resource: string): Position | 'unknown' | undefined {
    return this.#positions.get(resource) ?? (this.#hasForgotten ? 'unknown' : undefined);
  }

  /** Notes what has been seen, unless more has been seen already. Called by executors. */
  advance(resource: string, position: Position): void {
    const before = this.position(resource);
    if (before === 'unknown') return; // later than what it knew, but not surely than what it does not know
    this.#set(resource, before !== undefined && isAfter(before, position) ? before : position);
  }

  /**
   * Begins anew with the resource, of which it has then seen nothing: so that it can go on after a PositionLostError, of
   * which the user must know.
   */
  reset(resource: string): void {
    this.#delete(resource);
  }

  /** Notes that more has been seen than it can say: from now on the position is `unknown`. Called by executors. */
  forget(resource: string): void {
    if (this.position(resource) !== 'unknown') this.#set(resource, 'unknown');
  }

  #set(resource: string, position: Position | 'unknown'): void {
    this.#delete(resource);
    this.#positions.set(resource, position);
    this.#length += separator.length + entryOf(resource, position).length;
    for (const oldest of this.#positions.keys()) {
      if (this.#length + separator.length + overflow.length <= maxSessionLength) break;
      this.#delete(oldest);
      this.#hasForgotten = true;
    }
  }

  #delete(resource: string): void {
    const position = this.#positions.get(resource);
    if (position === undefined) return;
    this.#positions.delete(resource);
    this.#length -= separator.length + entryOf(resource, position).length;
  }

  #read(serialized: unknown): boolean {
    if (typeof serialized !== 'string' || serialized.length > maxSessionLength) return false;
    const [first, ...parts] = serialized.split(separator);
    if (first !== version) return false;
    for (const [index, part] of parts.entries()) {
      if (part === overflow && index === parts.length - 1) {
        this.#hasForgotten = true;
        continue;
      }
      const entry = readEntry(part);
      if (entry === undefined) return false;
      this.#set(...entry);
    }
    return true;
  }
}

/** Whether `position` is later than `other`: a later term's history goes on where an earlier one's ended. */
export function isAfter(position: Position, other: Position): boolean {
  return position.term > other.term || (position.term === other.term && position.offset > other.offset);
}

function entryOf(resource: string, position: Position | 'unknown'): string {
  if (position === 'unknown') return `${escaped(resource)}=${overflow}`;
  return `${escaped(resource)}=${position.term.toString(36)}.${position.offset.toString(36)}`;
}

const entryPattern = /^([^=]+)=(?:\+|([0-9a-z]{1,11})\.([0-9a-z]{1,26}))$/;

function readEntry(text: string): [string, Position | 'unknown'] | undefined {
  const [, name, term, offset] = entryPattern.exec(text) ?? [];
  if (name === undefined) return undefined;
  const position =
    term === undefined
      ? ('unknown' as const)
      : { term: Number.parseInt(term, 36), offset: bigintOf36(offset!) };
  if (position !== 'unknown' && !Number.isSafeInteger(position.term)) return undefined;
  try {
    return [decodeURIComponent(name), position];
  } catch {
    return undefined;
  }
}

/** As `encodeURIComponent`, which leaves some characters that mean something here or in a cookie. */
function escaped(name: string): string {
  return encodeURIComponent(name).replace(/[~'()*]/g, each => `%${each.charCodeAt(0).toString(16)}`);
}

function bigintOf36(text: string): bigint {
  let value = 0n;
  for (const digit of text) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  return value;
}
