import type { Level } from './plan.ts';

/** A write of keys that nothing else writes. */
export interface Written {
  readonly keys: readonly string[];
  readonly session: number;
  outcome: 'pending' | 'acknowledged' | 'not executed' | 'unknown';
  acknowledgedAt: number;
  /** Whether an operator has promoted a server since it began: that server may not have it. */
  mayBeLost: boolean;
}

/** What a read must see, as it was when the read began. */
export interface Reading {
  readonly level: Level;
  readonly must: readonly Written[];
  readonly mustKeys: readonly string[];
  readonly session: number;
}

/** What has been told to callers, and what breaks it. */
export class Model {
  readonly complaints: string[] = [];
  readonly writes: Written[] = [];
  readonly #seen = new Map<number, Set<string>>();
  readonly #primaries = new Map<number, string>();

  begin(session: number, count: number): Written {
    const keys = Array.from({ length: count }, (_, part) => `w${this.writes.length}.${part}`);
    const written: Written = { keys, session, outcome: 'pending', acknowledgedAt: 0, mayBeLost: false };
    this.writes.push(written);
    return written;
  }

  /** An operator has promoted a server, whatever it had. */
  promoted(): void {
    for (const written of this.writes) written.mayBeLost = true;
  }

  /** @param stalenessMs for `bounded` */
  reading(level: Level, session: number, now: number, stalenessMs: number): Reading {
    const acknowledged = this.writes.filter(({ outcome }) => outcome === 'acknowledged');
    const own = acknowledged.filter(written => session > 0 && written.session === session);
    const must = {
      // Without a session the primary as this process knows it reads, which may have been replaced
      default: own,
      session: own,
      monotonic: own,
      strong: acknowledged.filter(({ mayBeLost }) => !mayBeLost),
      bounded: acknowledged.filter(
        ({ mayBeLost, acknowledgedAt }) => !mayBeLost && acknowledgedAt < now - stalenessMs,
      ),
      eventual: [],
      nearest: [],
    }[level];
    const mustKeys = level === 'monotonic' && session > 0 ? [...(this.#seen.get(session) ?? [])] : [];
    return { level, must, mustKeys, session };
  }

  /** @param keys all that the read saw */
  read(what: string, { level, must, mustKeys, session }: Reading, keys: readonly string[]): void {
    const found = new Set(keys);
    for (const written of must) {
      // A promotion during the read: what it may have lost, the levels without a session may miss
      if (written.mayBeLost && (level === 'strong' || level === 'bounded')) continue;
      if (!written.keys.every(key => found.has(key)))
        this.complaints.push(`${what}: it misses ${written.keys[0]}, which was acknowledged before`);
    }
    for (const key of mustKeys)
      if (!found.has(key)) this.complaints.push(`${what}: it misses ${key}, which was seen before`);
    for (const written of this.writes) {
      const parts = written.keys.filter(key => found.has(key)).length;
      if (parts > 0 && written.outcome === 'not executed')
        this.complaints.push(`${what}: it sees ${written.keys[0]}, which was told not executed`);
      if (parts > 0 && parts < written.keys.length)
        this.complaints.push(`${what}: it sees a part of the transaction ${written.keys[0]}`);
    }
    if (level !== 'monotonic' || session === 0) return;
    const seen = this.#seen.get(session) ?? new Set();
    this.#seen.set(session, seen);
    for (const key of keys) seen.add(key);
  }

  /** Whether the session has seen nothing but what was acknowledged to it. */
  hasOnlyWritten(session: number): boolean {
    return !this.#seen.has(session);
  }

  topology(term: number, primary: string): void {
    const known = this.#primaries.get(term) ?? primary;
    this.#primaries.set(term, known);
    if (known !== primary) this.complaints.push(`term ${term}: ${known} and ${primary} are its primaries`);
  }
}
