import type { Clock } from '@ashlar/core';
import type { LeadingSnapshot } from './leading/snapshot.ts';
import type { Administration, Sighting } from './server.ts';

/** Who is primary, and since when. */
export interface Topology {
  /** Grows with each change of the primary. */
  readonly term: number;
  readonly primary: string;
}

/** A server as the set sees it now. */
export interface Observed {
  readonly id: string;
  readonly region: string | undefined;
  /** `down`: it does not answer, and gets no work. `new`: not yet asked. */
  readonly state: 'new' | 'up' | 'down';
  /** What it said last; it may be old when the server is down. */
  readonly sighting: Sighting | undefined;
  /** Since when it is down, by the set's clock. */
  readonly downSince: number | undefined;
  /** Why its last look failed; undefined when it did not. */
  readonly error?: unknown;
  /** Whether it is down because it says nothing; otherwise its connections are refused or end. */
  readonly isSilent: boolean;
}

export interface AuthorityContext {
  /** The name of the set. */
  readonly set: string;
  readonly clock: Clock;
  /** The servers as they are now. */
  servers(): readonly Observed[];
  /** Calls the listener after each look at a server. Returns a function that stops it. */
  onSighting(listener: () => void): () => void;
  /** As of `Server`; undefined where the backend cannot be led. */
  administer(id: string, term: number, signal: AbortSignal): Promise<Administration> | undefined;
  /** Tells an operator, once until something else is told. */
  warn(warning: string | undefined): void;
  /** As of `Server`; undefined where the backend has none. */
  concerns(id: string, signal: AbortSignal): Promise<readonly string[]> | undefined;
  /**
   * New writes wait from now on, until `resumeWrites` for the same reason. Resolves when those that run have ended. A call whose
   * time is over meanwhile rejects with what it lacks.
   */
  holdWrites(reason: string, lacks: () => Error): Promise<void>;
  resumeWrites(reason: string): void;
  /** Says who is primary. A topology of an earlier term than the latest is ignored. */
  publish(topology: Topology): void;
  /** Aborts when the set closes. */
  readonly signal: AbortSignal;
}

/** Decides who is primary. A set asks exactly one. */
export interface Authority {
  /** For messages and snapshots: `roles`, `sentinel`. */
  readonly kind: string;
  /** Begins; must not throw. */
  start(context: AuthorityContext): void;
  /** The set closes; resolves when nothing goes on any more that must not be ended. */
  close?(): Promise<void>;
  /** What it knows, JSON-safe, for the snapshot of the set. */
  snapshot?(): LeadingSnapshot;
  /** Hands over to another server on purpose, where the authority can. */
  switchover?(options: SwitchoverOptions): Promise<SwitchoverReport>;
  /** Changes whose acknowledgments count, where the authority can. */
  changeMembers?(change: MembershipChange): Promise<MembershipReport>;
}

export interface SwitchoverOptions {
  /** The server that becomes primary. Default: the replica that has come furthest. */
  readonly to?: string | undefined;
  /** Gives up, as long as nothing has been changed. */
  readonly signal?: AbortSignal | undefined;
}

export interface MembershipChange {
  /** Servers of the set that become members. */
  readonly add?: readonly string[] | undefined;
  /** Members that are none any more, living or dead; not the primary. */
  readonly remove?: readonly string[] | undefined;
  /** How many members must acknowledge a write from now on. 0 degrades: then nobody is promoted without loss. */
  readonly synchronous?: number | undefined;
  /** Gives up waiting for other changes. */
  readonly signal?: AbortSignal | undefined;
}

export interface MembershipReport {
  readonly term: number;
  readonly members: readonly string[];
  readonly synchronous: number;
}

export interface SwitchoverReport {
  readonly from: string;
  readonly to: string;
  readonly term: number;
  /** Milliseconds during which no write was taken. */
  readonly pausedMs: number;
  /**
   * Where the set leads: how long each step took, in milliseconds and in order. Writes go on during the first, `prepare`, and wait
   * during the others.
   */
  readonly stepsMs?: Readonly<Record<string, number>> | undefined;
  /**
   * What becomes of the primary of before, where the set leads: it is rewound by its hooks and follows, or it stays fenced,
   * as none says how.
   */
  readonly before?: 'rejoins' | 'fenced' | undefined;
}
