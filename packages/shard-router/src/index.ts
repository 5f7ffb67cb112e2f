export type * from './diagnostics.ts';
export { channels } from './diagnostics.ts';
export {
  InvalidIndexError,
  MigrationFailedError,
  MigrationRefusedError,
  MigrationsClosedError,
  type ReportOfShard,
} from './errors/migrations.ts';
export {
  CutoverError,
  FenceBusyError,
  LostCopyError,
  MoveAbortedError,
  MoveBlockedError,
  MoveRefusedError,
  MoverClosedError,
  StaleMoveError,
} from './errors/moves.ts';
export {
  CrossShardError,
  InvalidShardKeyError,
  MapChangedError,
  MapFormatError,
  NotReadyError,
  RouterClosedError,
  ShardMapError,
  UnplacedKeyError,
  WriteHeldError,
  WrongShardError,
} from './errors/routing.ts';
export {
  CollationError,
  DuplicateRowError,
  IndexBusyError,
  InvalidQueryError,
  InvalidValueError,
  MixedVersionsError,
  NestedCallError,
  OutOfRangeError,
  PartialWriteError,
  PartlyExecutedError,
  ShardFailedError,
  ShardKeyUpdateError,
  ShardTimeoutError,
  TransactionOverError,
  UnsupportedClientError,
} from './errors/statements.ts';
export { InDoubtError, PartLostError, TwoPhaseUnavailableError, UnsettledError } from './errors/two-phase.ts';
export { idSlotSql, maxSlots, timeOfId } from './ids/id.ts';
export { ShardIds, type ShardIdsOptions } from './ids/shard-ids.ts';
export type { IndexReport } from './indexes/index-audit.ts';
export type { KeyColumn, KeyOf, KeyType, ShardKey } from './keys/key-column.ts';
export type { Admission, Cut, DirectoryEntry, Join, KeyTexts, Layout } from './keys/layout.ts';
export type { SlotSpace } from './keys/slot-space.ts';
export type { HotKey, HotSlot, LoadSnapshot } from './load/load.ts';
export type { Explanation } from './map/explanation.ts';
export type { DirectoryParts, LayoutSpec, RangeParts } from './map/first-map.ts';
export type { MoveStep, Moving, SeenPosition } from './map/moving.ts';
export type { Route } from './map/routes.ts';
export type { ShardMap, SlotRange } from './map/shard-map.ts';
export type { Transport } from './memory/follower.ts';
export { type MemoryMovesOptions, memoryMoves } from './memory/memory-moves.ts';
export { type MemoryClient, MemoryShard, memoryShards } from './memory/memory-shard.ts';
export type { AbortOptions, FinishOptions, MovesStatus, RunOptions } from './moves/calls.ts';
export type { MoveEvent } from './moves/events.ts';
export type {
  Difference,
  ExtendedFence,
  ExtendedFences,
  Following,
  MoveBackend,
  MoveContext,
  MoveLag,
  MovePlan,
  MoveSpace,
  MoveSpec,
  Obstacle,
  Slice,
  Verification,
} from './moves/move-backend.ts';
export { Mover } from './moves/mover.ts';
export type { MoveLimits, MoverOptions } from './moves/mover-options.ts';
export type { ForgetOptions } from './moves/parts/forgetting.ts';
export type { Balance, MoveRequest, SlotMove, Zones } from './moves/planner.ts';
export type { PlannedMove } from './moves/planning.ts';
export type { MoveRun } from './moves/running/move-run.ts';
export type { ShardRouterOptions } from './options.ts';
export type { AggregateQuery } from './queries/aggregate-query.ts';
export type { AggregateSpec, Aggregates, ResultsOf } from './queries/aggregation.ts';
export type { Pairs } from './queries/joins/equal-columns.ts';
export type { Asks, LookupQuery, Page, PageOf } from './queries/joins/lookup-query.ts';
export type { QueryScope, Rows, StreamScope } from './queries/merging/gather.ts';
export type { MissingShard } from './queries/merging/scatter.ts';
export type { OrderOptions } from './queries/ordering.ts';
export type { SelectQuery } from './queries/select-query.ts';
export type { ShardedTable } from './queries/sharded-table.ts';
export type { ShardedTransaction } from './queries/transacting/sharded-transaction.ts';
export type { ShardedScope } from './queries/transacting/transactions.ts';
export type { WriteQuery } from './queries/write-query.ts';
export type { ReferenceRepair, ReferenceSpec, References, ReferenceWrite } from './references/reference.ts';
export type { ReferenceTable } from './references/reference-table.ts';
export { type RouterSnapshot, ShardRouter } from './router.ts';
export type { Positioned } from './running/seen.ts';
export type { JoinedSpec } from './tables/joined-table.ts';
export type { Comparison, Result, Statement } from './tables/statement.ts';
export type { ColumnType, IndexSpec, TableSpec, Tables } from './tables/table.ts';
export type {
  Changed,
  Equalities,
  IndexValues,
  InputOf,
  KeyOf as ShardKeyOf,
  Named,
  NewRow,
  PrimaryKeyOf,
  RowOf,
  WholeRow,
} from './tables/values.ts';
export type { Decided, Doubt, Ledger, Verdict } from './two-phase/ledger.ts';
export type { RecoveryReport, Settled } from './two-phase/recovery.ts';
