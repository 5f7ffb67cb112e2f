import { knownOptions } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Metadata } from '@grpc/grpc-js';
import { experimental, status } from '#grpc';
import type { Endpoint } from '../endpoint.ts';
import type { LoadBalancer } from '../load-balancer.ts';
import type { Settlement } from '../policy.ts';
import { balancerOption } from '../util/option-checks.ts';
import { type CallStatus, closeChannel, openChannel } from './grpc/channels.ts';
import { BalancerConfig, Connections, typeName } from './grpc/connections.ts';
import { BalancerResolver } from './grpc/resolver.ts';
import { functionOption } from './http/options.ts';

export type { CallStatus } from './grpc/channels.ts';
export { MissingPeerError } from './http/errors.ts';

export interface BalancedChannelOptions {
  /** The authority that servers see and certificates are checked for; the name of the balancer if absent. */
  readonly authority?: string;
  /** What the call is about, for policies that keep equal keys together. None if absent. */
  readonly key?: (metadata: Metadata) => Key | undefined;
  /**
   * What the end of a call says of its endpoint; `undefined`: nothing. If absent, UNKNOWN, DEADLINE_EXCEEDED,
   * RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE and DATA_LOSS are failures, and CANCELLED says nothing.
   */
  readonly classify?: (status: CallStatus) => Settlement | undefined;
  /** The rest of the channel's service configuration, as `methodConfig` with a retry policy. */
  readonly serviceConfig?: object;
}

/** What a client of grpc-js is made with. */
export interface BalancedChannel extends Disposable {
  readonly target: string;
  readonly options: { readonly 'grpc.service_config': string };
  /** Lets go of the balancer; for when all its clients are closed. */
  close(): void;
}

/**
 * Lets a client of grpc-js send each call to an endpoint of the balancer, at the host and port of its `url`:
 * `new Client(channel.target, credentials, channel.options)`. Streams count as in flight until they end. Built on the
 * load-balancing interface that grpc-js calls experimental.
 *
 * @throws InvalidOptionError
 */
export function balancedChannel<E extends Endpoint>(
  balancer: LoadBalancer<E>,
  options: BalancedChannelOptions = {},
): BalancedChannel {
  knownOptions('balancedChannel', options, ['authority', 'key', 'classify', 'serviceConfig']);
  const {
    authority = balancerOption(balancer).name,
    key = () => undefined,
    classify = byCode,
    serviceConfig = {},
  } = options;
  introduce();
  const id = openChannel<E>({
    balancer,
    authority,
    key: functionOption('key', key),
    classify: functionOption('classify', classify),
  });
  const config = { ...serviceConfig, loadBalancingConfig: [new BalancerConfig(id).toJsonObject()] };
  const close = () => closeChannel(id);
  return {
    target: `${typeName}:${id}`,
    options: { 'grpc.service_config': JSON.stringify(config) },
    close,
    [Symbol.dispose]: close,
  };
}

let introduced = false;

/** Makes the scheme and the balancer known to grpc-js, once. */
function introduce(): void {
  if (introduced) return;
  introduced = true;
  experimental.registerResolver(typeName, BalancerResolver);
  experimental.registerLoadBalancerType(typeName, Connections, BalancerConfig);
}

const failures: ReadonlySet<number> = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

function byCode({ code, details, metadata }: CallStatus): Settlement | undefined {
  if (code === status.CANCELLED) return undefined;
  if (!failures.has(code)) return { ok: true };
  const error = new Error(details);
  const pushbackMs = Number(metadata.get('grpc-retry-pushback-ms')[0] ?? Number.NaN);
  return pushbackMs >= 0 ? { ok: false, error, retryAfterMs: pushbackMs } : { ok: false, error };
}
