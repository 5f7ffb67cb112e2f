export type { BatchOptions } from './consuming/batches.ts';
export type { BatchContext, HandlerContext } from './consuming/context.ts';
export type {
  BackoffOptions,
  BatchSubscribeOptions,
  DrainOptions,
  SubscribeOptions,
} from './consuming/options.ts';
export type { Subscription, SubscriptionSnapshot } from './consuming/subscription.ts';
export type { DeadLetterBox, ReadDeadLetter } from './dead-letter-box.ts';
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
  UnroutedError,
  UnsafeBackendError,
  UnsupportedError,
} from './errors.ts';
export type { KeyOf } from './idempotency/once.ts';
export type { IdempotencyOptions } from './idempotency/options.ts';
export type { MemoryCapabilities, MemoryDriverOptions } from './memory/memory-driver.ts';
export { memoryDriver } from './memory/memory-driver.ts';
export type { Schemas, Typed } from './messages.ts';
export { messages } from './messages.ts';
export type { PublishOptions } from './publishing/options.ts';
export type { PublishResult } from './publishing/publisher.ts';
export type { FoundJob, QueueHealth, QueueOptions, QueueSnapshot, SubscriptionHealth } from './queue.ts';
export { Queue } from './queue.ts';
