export {
  type ConnectedMessage,
  channels,
  type DisconnectedMessage,
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
  StaleTokenError,
  StoreClosedError,
  StoreTimeoutError,
  StoreUnavailableError,
  UnsafeBackendError,
  ValueTooLargeError,
  VersionConflictError,
} from './errors.ts';
export { Fence, type FencingToken, isStale } from './fencing.ts';
export { follow } from './follow.ts';
export { fromJson, getJson, type JsonEntry, setJson, toJson } from './json.ts';
export { Lease, type LeaseSnapshot } from './lease.ts';
export type { AcquireOptions, LeaseOptions } from './lease-terms.ts';
export { maxKeyBytes, maxToken, maxTtlMs, maxValueBytes } from './limits.ts';
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
