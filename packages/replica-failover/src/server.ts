import type { Position } from './session.ts';

/** Where an earlier term ended, in the history of a server: what was written later in that term is not part of it. */
export type TermEnd = Position;

/** What a server says of itself, all at one moment. */
export interface Sighting {
  readonly role: 'primary' | 'replica';
  /** Every write up to here is seen by a reader of this server; on the primary, everything that has been committed. */
  readonly position: Position;
  /** The ends of the earlier terms of its history, where the server can say them. */
  readonly termEnds?: readonly TermEnd[] | undefined;
  /** Of this server alone. Another one means that it was started again. */
  readonly instance: string;
  /** Names the data: the same for a primary and all its replicas, and kept in a failover. Undefined where that is not known. */
  readonly cluster?: string | undefined;
  /** Of a replica: whether it is connected to a primary. */
  readonly isReceiving?: boolean | undefined;
  /** Of a primary: how many standbys follow whose acknowledgments count, where it can say. */
  readonly acknowledging?: number | undefined;
  /** Of a primary: whether a later term has taken its right to write. */
  readonly isFenced?: boolean | undefined;
}

/** How a server is reached. */
export interface Address {
  /** What the backend's `newClient` gets. */
  readonly connection: unknown;
  /** How other servers reach it. */
  readonly replication: string | undefined;
}

/**
 * One server of a set, as a backend offers it. The engine asks it how it is and lends its connections to work; what
 * happens is decided by the engine alone.
 */
export interface Server<C> extends AsyncDisposable {
  /** Unique in the set. */
  readonly id: string;
  /** Where it is, for reads that stay near. */
  readonly region?: string | undefined;
  /** How it is reached, for tools with connections of their own. It may hold a password. */
  readonly address?: Address | undefined;

  /**
   * Asks the server how it is, over a connection that is used for nothing else. Rejects when it cannot be asked, at the
   * latest when the signal aborts; then the next call begins with a new connection.
   */
  look(signal: AbortSignal): Promise<Sighting>;

  /**
   * Calls the listener when the connection of `look` is lost while nobody looks: the server may have been started again, and be
   * behind what it had. Backends without such a connection have no such method.
   */
  onDisconnect?(listener: () => void): void;

  /** Connections for one generation. Opens none before the first `acquire`. */
  open(options: OpenOptions): Pool<C>;

  /**
   * What an operator should know of its settings before a set leads it. Rejects when it cannot be asked, at the latest when the
   * signal aborts.
   */
  concerns?(signal: AbortSignal): Promise<readonly string[]>;

  /**
   * Begins to administer the server in a term, for a set that leads: notes the term at the server and ends whoever
   * administers it in an earlier one. From then on the earlier one can do nothing more there. Backends that cannot be led
   * have no such method. Rejects with TermPassedError when the server has noted a later term.
   */
  administer?(term: number, signal: AbortSignal): Promise<Administration>;
}

/** The right to change the role of one server, until a later term takes it. Every method fails when it has been taken. */
export interface Administration extends AsyncDisposable {
  /** Whether it is a primary now. */
  isPrimary(): Promise<boolean>;
  /**
   * Stops receiving, so that no primary gets an acknowledgment from this server any more. Resolves with the place to which
   * it has come, when it is certain that it receives nothing and has replayed all that it has.
   */
  detach(signal: AbortSignal): Promise<Position>;
  /** Where it is now: a primary with what it has made durable, a replica with what its readers see. */
  position(): Promise<Position>;
  /**
   * A primary that hands over: refuses new writes from now on. Resolves when those that were begun have ended, with the place
   * to which all is durable.
   */
  drain(signal: AbortSignal): Promise<Position>;
  /**
   * Whose acknowledgments count while this server is the primary: those of `count` of these. It takes writes again, if it
   * was fenced.
   */
  require(standbys: readonly string[], count: number): Promise<void>;
  /** Becomes primary, with what it has. Resolves when it is. */
  promote(signal: AbortSignal): Promise<void>;
  /** Follows another server from now on. */
  follow(primary: string): Promise<void>;
  /**
   * A primary that was drained, and all of whose data the new one has: follows it. Backends in which it must be rewound first have
   * no such method.
   */
  join?(primary: string): Promise<void>;
  /** A primary of an earlier term: ends all sessions, and refuses writes from now on. */
  fence(): Promise<void>;
}

export interface OpenOptions {
  /** The most connections at a time. */
  readonly maxConnections: number;
  /** Called when a connection was lost, whether in use or idle: a reason to look at the server. */
  readonly onLost: (error: Error) => void;
}

/** The connections of one server in one generation. */
export interface Pool<C> {
  /**
   * A connection that answered when it was last used. Rejects when none can be made, at the latest when the signal aborts:
   * nothing was executed then.
   *
   * @param connecting called, perhaps more than once, when it waits for a new one, not for one that is in use
   */
  acquire(signal: AbortSignal, connecting?: () => void): Promise<Connection<C>>;
  /** One that is idle, if there is one and nobody waits: as `acquire`, without the wait. */
  acquireIdle?(): Connection<C> | undefined;
  /** Ends all connections at once, also those in use: whatever is in flight on them fails. No more are made. */
  destroy(reason: Error): void;
  /** Waits for the connections in use, then ends all. */
  close(): Promise<void>;
}

/** How far the work on a connection has come. */
export interface Progress {
  /** Statements whose success the server has answered. */
  readonly executed: number;
  /** Whether something was sent that may have changed something, and its success was not answered as it should be. */
  readonly inDoubt: boolean;
  /** Whether the server refused something as in `isRefusal`, whatever error the work has made of that. */
  readonly isRefused: boolean;
  /**
   * Whether the server could not do what was asked, for a reason of its own, and another may: it loads its data, or what is
   * read stands in the way of its replication. Only reads ask.
   */
  readonly isUnable: boolean;
  /** Whether a transaction is open that the work itself has begun. */
  readonly isInTransaction: boolean;
  /** Whether the work has ended the transaction that `begin` has begun. */
  readonly hasEnded: boolean;
  /** Why the connection cannot be used any more. */
  readonly lost: Error | undefined;
}

/** One connection, lent to one piece of work. */
export interface Connection<C> {
  readonly client: C;
  /** Since it was lent. */
  readonly progress: Progress;
  /**
   * Whether the server refused because it is no primary (any more) or is about to end, and did nothing: the work may run
   * elsewhere.
   */
  isRefusal(error: unknown): boolean;
  begin(isolation: string | undefined): Promise<void>;
  /**
   * Commits, and returns the position after the commit where `wantsPosition`. Rejects with what the server says, when that
   * means that nothing was committed; with CommitDoubt when it may or may not have been.
   */
  commit(wantsPosition: boolean): Promise<Position | undefined>;
  rollback(): Promise<void>;
  /**
   * Where the backend does not acknowledge each statement as it must: waits until all that was executed is. Rejects with
   * OutcomeUnknownError when that does not come to be.
   */
  acknowledged?(): Promise<void>;
  /** Where this server is now: after a write on the primary, or after a read on a replica. */
  position(): Promise<Position>;
  /** As `position`, after a write on the primary, where that can be asked for less. */
  primaryPosition?(): Promise<Position>;
  /** Proves that this server is the primary: a commit of nothing that is acknowledged as every write is. */
  barrier?(): Promise<void>;
  /** Gives it back; with an error it is not used again. Called once. */
  release(error?: Error): void;
}

/** The answer to a commit did not come. */
export class CommitDoubt extends Error {
  /**
   * Finds out on the primary of today what became of the commit. `unknown` when that cannot be known.
   *
   * @param isLaterTerm whether the primary of today is of a later term than the one that got the commit
   */
  readonly resolve: DoubtResolver;

  constructor(cause: unknown, resolve: DoubtResolver) {
    super('the answer to the commit did not come', { cause });
    this.resolve = resolve;
  }
}

export type DoubtResolver = (
  // biome-ignore lint/suspicious/noExplicitAny: a connection of the same backend
  connection: Connection<any>,
  signal: AbortSignal,
) => Promise<'committed' | 'aborted' | 'unknown'>;
