export type { Backend, ChangeListener, Page, Stored } from './backend.ts';
export { BackendStore } from './backend-store.ts';
export {
  type ConnectedMessage,
  channels,
  type DisconnectedMessage,
  type InvalidValueMessage,
  type LeaseAcquiredMessage,
  type LeaseEndedMessage,
  type LeaseRenewalFailedMessage,
  type OperationMessage,
  type ResetMessage,
  type WarningMessage,
} from './diagnostics.ts';
export {
  InvalidKeyError,
  InvalidValueError,
  LeaseLostError,
  StoreClosedError,
  StoreTimeoutError,
  StoreUnavailableError,
  UnsafeBackendError,
  ValueTooLargeError,
  VersionConflictError,
} from './errors.ts';
export { fromJson, getJson, type JsonEntry, setJson, toJson } from './json.ts';
export { Fence, type FencingToken, isStale, StaleTokenError } from './leases/fencing.ts';
export { Lease, type LeaseSnapshot } from './leases/lease.ts';
export type { AcquireOptions, LeaseOptions } from './leases/lease-options.ts';
export { type OncePerOptions, type OnceResult, oncePer } from './leases/once-per.ts';
export { type LeasedWork, withLease } from './leases/with-lease.ts';
export { checkAhead, maxAheadUs, maxKeyBytes, maxToken, maxTtlMs, maxValueBytes } from './limits.ts';
export {
  type ConnectedMemoryStoreOptions,
  type MemoryStore,
  type MemoryStoreOptions,
  memoryStore,
} from './memory/memory-store.ts';
export type {
  Change,
  Claim,
  ClaimOptions,
  DeleteOptions,
  Entry,
  ManagedStore,
  SetOptions,
  Store,
  StoreSnapshot,
  TtlOption,
  Version,
  WatchOptions,
} from './store.ts';
export { follow } from './watches/follow.ts';
export { maxPendingKeys } from './watches/watcher.ts';
