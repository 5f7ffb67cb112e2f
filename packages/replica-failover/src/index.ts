export { roles } from './authorities/roles.ts';
export type {
  Authority,
  AuthorityContext,
  MembershipChange,
  MembershipReport,
  Observed,
  SwitchoverOptions,
  SwitchoverReport,
  Topology,
} from './authority.ts';
export { ConnectionPool, type Pooled, type PooledEvents } from './connection-pool.ts';
export {
  channels,
  type FallbackMessage,
  type RetryMessage,
  type ServerDownMessage,
  type ServerUpMessage,
  type TopologyMessage,
  type WarningMessage,
} from './diagnostics.ts';
export {
  CallTimeoutError,
  EndedTransactionError,
  FailoverRefusedError,
  NoPrimaryError,
  NoServerError,
  NoStandbyError,
  OpenTransactionError,
  OutcomeUnknownError,
  PartlyExecutedError,
  PositionLostError,
  ReplicaSetClosedError,
  SupersededError,
  TermPassedError,
  UnsupportedConsistencyError,
  WaitingFullError,
  WrongServersError,
} from './errors.ts';
export type { Consistency, Executor, ReadScope, Scope, TransactionScope } from './executor.ts';
export { leading } from './leading/leading.ts';
export type { LeadingOptions, MemberHooks, Rejoining } from './leading/options.ts';
export type { TermRecord } from './leading/record.ts';
export type { LeadingSnapshot, MemberNote } from './leading/snapshot.ts';
export { MemoryCluster, type MemoryClusterOptions, memoryCluster } from './memory/cluster.ts';
export type { MemoryClient } from './memory/connection.ts';
export { MemoryConnectionError, MemoryReadOnlyError } from './memory/errors.ts';
export type { HeartbeatOptions, ReadOptions, ReplicaSetOptions } from './options.ts';
export { ReplicaSet, type ServerAddress } from './replica-set.ts';
export type { Work } from './running/runner.ts';
export {
  type Address,
  type Administration,
  CommitDoubt,
  type Connection,
  type DoubtResolver,
  type OpenOptions,
  type Pool,
  type Progress,
  type Server,
  type Sighting,
  type TermEnd,
} from './server.ts';
export { maxSessionLength, type Position, Session } from './session.ts';
export { currentSession, withSession } from './sessions/current-session.ts';
export type { ReplicaSetSnapshot, ServerSnapshot } from './snapshot.ts';
