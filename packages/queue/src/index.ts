export type { BatchOptions } from './consuming/batches.ts';
export type {
  BatchContext,
  HandlerContext,
  TransactionClient,
  TransactionContext,
} from './consuming/context.ts';
export type {
  AnySubscribeOptions,
  BackoffOptions,
  BatchSubscribeOptions,
  DrainOptions,
  SubscribeOptions,
  TransactionSubscribeOptions,
} from './consuming/options.ts';
export type { Subscription, SubscriptionSnapshot } from './consuming/subscription.ts';
export type { DeadLetter, DeadLetterPage, DeadLetterSelection } from './dead-letters.ts';
export type * from './diagnostics.ts';
export { channels } from './diagnostics.ts';
export type {
  AckOptions,
  Capabilities,
  ConsumeOptions,
  Deduplication,
  Delivery,
  Driver,
  GroupStats,
  Job,
  Limits,
  NackOptions,
  OutgoingMessage,
  Published,
  PublishSettings,
  Rate,
} from './driver.ts';
export {
  DeliveryLostError,
  DoNotRetryError,
  DrainTimeoutError,
  GroupGoneError,
  HandlerTimeoutError,
  IdempotencyConflictError,
  InvalidPayloadError,
  OnceUnavailableError,
  PublishError,
  QueueClosedError,
  QueueFullError,
  QueueTimeoutError,
  QueueUnavailableError,
  TableShapeError,
  TransactionEndedError,
  UnroutedError,
  UnsafeBackendError,
  UnsupportedError,
} from './errors.ts';
export type { QueueHealth, QueueSnapshot, SubscriptionHealth } from './health.ts';
export type { KeyOf } from './idempotency/once.ts';
export type {
  BeginIdempotencyOptions,
  IdempotencyOptions,
  PoolIdempotencyOptions,
  StoreIdempotencyOptions,
  TransactionIdempotencyOptions,
} from './idempotency/options.ts';
export { memoryDriver } from './memory/memory-driver.ts';
export type {
  ConnectedMemoryDriverOptions,
  MemoryCapabilities,
  MemoryDriver,
  MemoryDriverOptions,
} from './memory/options.ts';
export type { Schemas, Typed } from './messages/messages.ts';
export { messages } from './messages/messages.ts';
export type { DeadLetterBox, ReadDeadLetter } from './operating/dead-letter-box.ts';
export type { FoundJob } from './operating/jobs.ts';
export type { AnyPublishOptions, PublishOptions } from './publishing/options.ts';
export type { PublishResult } from './publishing/publisher.ts';
export type { QueueOptions } from './queue.ts';
export { Queue } from './queue.ts';
export type { Transaction } from './transactions/shapes.ts';
