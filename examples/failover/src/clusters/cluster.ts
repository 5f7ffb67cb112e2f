import type { ReadScope, ReplicaSetSnapshot, Scope } from '@ashlar/replica-failover';

/** What an order is to the shop: its number. The shop knows all of them by heart, so that what is lost shows. */
export interface Shop extends AsyncDisposable {
  /** Takes an order. Rejects with the set's errors, which say what became of it. */
  take(order: number, scope: Scope): Promise<void>;
  /** Whether the order is there, for a reader of that level. */
  has(order: number, scope: ReadScope): Promise<boolean>;
  /** All orders that the primary has. */
  all(): Promise<number[]>;
  snapshot(): ReplicaSetSnapshot;
}

/** A primary with two replicas, to which harm is done. */
export interface Cluster extends AsyncDisposable {
  readonly title: string;
  /** The primary first. */
  readonly ids: readonly string[];
  /** Connects as one process of an application does. */
  connect(): Promise<Shop>;
  /** SIGKILL, or what is like it. */
  kill(id: string): Promise<void>;
  /** SIGSTOP: it answers nothing, and closes no connection. */
  stop(id: string): Promise<void>;
  /** Ends a stop. */
  resume(id: string): Promise<void>;
  /** Starts a server that was killed. It believes what it believed before. */
  start(id: string): Promise<void>;
  /** A replica goes on receiving, and shows its readers nothing new. Not there where no server can do that. */
  pauseReplay?(id: string): Promise<void>;
  resumeReplay?(id: string): Promise<void>;
  /** Makes an earlier primary a replica. Not there where somebody else does, or nobody can. */
  rejoin?(id: string): Promise<void>;
}
