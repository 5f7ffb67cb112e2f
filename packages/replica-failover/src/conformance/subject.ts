import type { ReplicaSetOptions } from '../options.ts';
import type { ReplicaSet } from '../replica-set.ts';

/** A cluster of at least three servers, and what can be done to it. Disposing ends the cluster. */
export interface Subject<C> extends AsyncDisposable {
  /** The primary first. */
  readonly ids: readonly string[];
  /** A set over its servers, as another process would have it; the subject closes it when the test is over. */
  connect(options?: Omit<ReplicaSetOptions<C>, 'servers'>): Promise<ReplicaSet<C>>;
  /**
   * As `connect`, of a set that leads: all of one subject share a store, and one of the others must acknowledge each write. Left out where
   * the servers cannot be led: skip the tests that need it.
   */
  lead?(): Promise<ReplicaSet<C>>;
  /** Sets a value; a table of its own is there for it. */
  put(client: C, key: string, value: string): Promise<unknown>;
  get(client: C, key: string): Promise<string | undefined>;
  /** Ends a server as by SIGKILL. */
  kill(id: string): Promise<void>;
  /** Starts a server that was killed, as it was. */
  start(id: string): Promise<void>;
  /** Lets a server stand still, as by SIGSTOP. */
  stop(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  /** Lets a replica go on receiving, and show its readers nothing new. */
  pauseReplay(id: string): Promise<void>;
  resumeReplay(id: string): Promise<void>;
  /** Makes a replica the primary, as an operator would, and lets the other replicas follow it. */
  promote(id: string): Promise<void>;
  /**
   * From now on nobody acknowledges a commit, though replicas get it, until another is promoted. Left out where that cannot be:
   * skip the test that needs it.
   */
  holdAcknowledgments?(): Promise<void>;
  /** Whether a failover may lose what was acknowledged, as nobody else need have it then. Default: false. */
  readonly losesAcknowledged?: boolean;
}

export type MakeSubject<C> = () => Promise<Subject<C>>;

export type Tests<C> = Readonly<Record<string, (subject: Subject<C>) => Promise<void>>>;
