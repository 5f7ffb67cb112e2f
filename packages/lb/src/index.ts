export type {
  DiscoveryFailedMessage,
  DrainMessage,
  EjectMessage,
  EndpointsMessage,
  HealthMessage,
  HedgeMessage,
  LimitMessage,
  OutcomeMessage,
  PanicMessage,
  PickMessage,
  ProbeFailedMessage,
  RetryMessage,
  ReturnMessage,
} from './diagnostics.ts';
export { channels } from './diagnostics.ts';
export type { DiscoveryState } from './discovery/follower.ts';
export type { SubsetOptions } from './discovery/subset.ts';
export { subset } from './discovery/subset.ts';
export type { Discovery, Endpoint, EndpointWithUrl } from './endpoint.ts';
export {
  ClosedError,
  DeadlineError,
  DiscoveryError,
  DrainTakenBackError,
  DuplicateEndpointError,
  InvalidEndpointError,
  NoEndpointError,
  PolicyError,
} from './errors.ts';
export type { CheckContext, HealthCheck } from './health/check.ts';
export { HealthCheckError } from './health/check.ts';
export type { HttpCheckOptions } from './health/http-check.ts';
export { httpCheck } from './health/http-check.ts';
export type { HealthOptions } from './health/options.ts';
export type { AimdOptions } from './limits/aimd.ts';
export { aimd } from './limits/aimd.ts';
export type { Gradient2Options } from './limits/gradient2.ts';
export { gradient2 } from './limits/gradient2.ts';
export type { Concurrency, LimitBounds, Limiter, LimitSample } from './limits/limiter.ts';
export { LoadBalancer } from './load-balancer.ts';
export type { LoadBalancerOptions, WatchOptions } from './options.ts';
export type { FailurePercentOptions } from './outlier/failure-percent.ts';
export type { OutlierOptions } from './outlier/options.ts';
export type { SuccessRateOptions } from './outlier/success-rate.ts';
export type { ConsistentOptions } from './policies/consistent.ts';
export { consistent } from './policies/consistent.ts';
export type { LeastRequestsOptions } from './policies/least-requests.ts';
export { leastRequests } from './policies/least-requests.ts';
export type { PeakEwmaOptions } from './policies/peak-ewma.ts';
export { peakEwma } from './policies/peak-ewma.ts';
export type { PrequalOptions } from './policies/prequal.ts';
export { prequal } from './policies/prequal.ts';
export { random } from './policies/random.ts';
export { roundRobin } from './policies/round-robin.ts';
export type { PenaltyOptions } from './policies/shared/penalty.ts';
export type { ShuffleShardOptions } from './policies/shuffle-shard.ts';
export { shuffleShard } from './policies/shuffle-shard.ts';
export { weightedRoundRobin } from './policies/weighted-round-robin.ts';
export type { ZoneAwareOptions } from './policies/zone-aware.ts';
export { zoneAware } from './policies/zone-aware.ts';
export type {
  Candidate,
  Load,
  Outcome,
  PickRequest,
  Policy,
  PolicyFactory,
  Probe,
  ProbeContext,
  Probing,
  Settlement,
} from './policy.ts';
export { LoadGauge } from './probes/load-gauge.ts';
export type {
  AcquireOptions,
  Attempt,
  AttemptContext,
  AttemptResult,
  DrainOptions,
  Picked,
  PickOptions,
  Request,
  RunOptions,
  Verdict,
} from './request.ts';
export type { HedgeOptions } from './requests/hedge.ts';
export type { RetryOptions } from './requests/retry.ts';
export type { BalancerSnapshot, EndpointSnapshot, RequestsSnapshot } from './snapshot.ts';
