import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { RemoteTier, ResetReason, TierEntry, TierRead, TierSession } from '../../tiers/remote-tier.ts';

/** A tier under test, empty at first, and what a test can do to it. Disposing ends all that it made. */
export interface TierSubject extends AsyncDisposable {
  readonly tier: RemoteTier;
  /** Another tier object over the same state, as another process would have it. Without it, sessions share one object. */
  other?(): Promise<RemoteTier>;
  /** The clock of `confirmedUntil`. `performance.now` without it. */
  now?(): number;
  /** Lets time pass for the tier. Without it, tests wait in real time. */
  pass?(ms: number): Promise<void>;
  /** Makes the tier forget all that it holds, as FLUSHALL does. With the feature `empties`. */
  empty?(): Promise<void>;
  /** Breaks every connection of the tier, which may come back at once. With the feature `breaks`. */
  break?(): Promise<void>;
  /**
   * Loses every change from now on, so that no session receives one and none notices by its connection; returns how to
   * end it. With the feature `loses`.
   */
  lose?(): Promise<() => Promise<void>>;
}

export type MakeTierSubject = () => Promise<TierSubject>;

/** What the subject offers; tests of a feature that is false are left out. Default: false each. */
export interface TierFeatures {
  readonly empties?: boolean;
  readonly breaks?: boolean;
  readonly loses?: boolean;
}

export type TierTests = Readonly<Record<string, (scene: Scene) => Promise<void>>>;

export interface TierEvent {
  readonly kind: 'key' | 'tag' | 'reset' | 'connection';
  readonly what: string;
}

/** A session, and the events that it received. Calls `onEvent` with each as it arrives. */
export interface ObservedSession {
  readonly session: TierSession;
  readonly events: TierEvent[];
  onEvent: (events: TierEvent) => void;
}

/** What a test works with. Disposing closes the sessions that it opened. */
export class Scene implements AsyncDisposable {
  readonly subject: TierSubject;
  readonly #sessions: TierSession[] = [];

  constructor(subject: TierSubject) {
    this.subject = subject;
  }

  /** A session of the tier, or with `other` one as from another process, once it receives changes. */
  async open(which: 'tier' | 'other' = 'tier'): Promise<ObservedSession> {
    const { subject } = this;
    const tier = which === 'other' && subject.other ? await subject.other() : subject.tier;
    const events: TierEvent[] = [];
    const record = (kind: TierEvent['kind'], what: string) => {
      events.push({ kind, what });
      observed.onEvent({ kind, what });
    };
    const session = tier.open({
      invalidated: ({ keys, tags }) => {
        for (const key of keys) record('key', key);
        for (const tag of tags) record('tag', tag);
      },
      reset: (reason: ResetReason) => record('reset', reason),
      connection: state => record('connection', state),
    });
    const observed: ObservedSession = { session, events, onEvent: () => {} };
    this.#sessions.push(session);
    await this.until(() => session.confirmedUntil > this.now());
    events.length = 0;
    return observed;
  }

  async pair(): Promise<[ObservedSession, ObservedSession]> {
    return [await this.open(), await this.open('other')];
  }

  now(): number {
    return this.subject.now?.() ?? performance.now();
  }

  async pass(ms: number): Promise<void> {
    await (this.subject.pass?.(ms) ?? delay(ms));
  }

  /** Waits until `isSo`, letting little time pass in between; for ten seconds at most when time is real. */
  async until(isSo: () => Promise<boolean> | boolean): Promise<void> {
    for (let attempt = 0; attempt < 2_000; attempt++) {
      if (await isSo()) return;
      await this.pass(5);
    }
    throw new Error('it did not come to be within 2 000 attempts');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) await session.close();
    await this.subject[Symbol.asyncDispose]();
  }
}

export const longMs = 60_000;

export function entryOf(text: string | undefined, over: Partial<TierEntry> = {}): TierEntry {
  const value = text === undefined ? undefined : new TextEncoder().encode(text);
  return { value, freshMs: longMs, keepMs: longMs, costMs: 7, tags: [], ...over };
}

export function textOf({ entry }: Pick<TierRead, 'entry'>): string | undefined {
  return entry?.value && new TextDecoder().decode(entry.value);
}

export async function readText(session: TierSession, key: string): Promise<string | undefined> {
  const [read] = await session.read([key]);
  return textOf(read!);
}

/** Reads a key that no session has leased, and gets its lease. */
export async function leaseOf(session: TierSession, key: string, leaseMs: number = longMs): Promise<string> {
  const [read] = await session.read([key], { leaseMs });
  assert.equal(typeof read?.lease, 'string', `no lease of ${key} was given`);
  return read!.lease!;
}

export async function fillOne(
  session: TierSession,
  key: string,
  lease: string,
  entry: TierEntry,
): Promise<boolean> {
  const [stored] = await session.fill([{ key, lease, entry }]);
  return stored!;
}

export function write(session: TierSession, key: string, entry: TierEntry): Promise<void> {
  return session.write(new Map([[key, entry]]));
}
