import { boolean, defaultTo, functionOf, objectWith, type RulesFor, readOptions, text } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Metadata } from '@grpc/grpc-js';
import { experimental, status } from '#grpc';
import type { EndpointWithUrl } from '../endpoint.ts';
import type { LoadBalancer } from '../load-balancer.ts';
import type { Settlement } from '../policy.ts';
import { checkBalancer, urlCheck } from './balancer-argument.ts';
import { type CallStatus, closeChannel, openChannel } from './grpc/channels.ts';
import { BalancerConfig, Connections, typeName } from './grpc/connections.ts';
import { addressOf, BalancerResolver } from './grpc/resolver.ts';

export type { CallStatus } from './grpc/channels.ts';

export interface BalancedChannelOptions {
  /** The authority that servers receive and certificates are checked against. Default: the name of the balancer. */
  readonly authority?: string;
  /** The key of a call, for policies with sticky sessions. Default: no key. */
  readonly key?: (metadata: Metadata) => Key | undefined;
  /**
   * What the status of a call says about its endpoint; `undefined` counts neither way. Default: UNKNOWN,
   * DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE and DATA_LOSS are failures; so is RESOURCE_EXHAUSTED, but without blame, as
   * it may limit this client alone; CANCELLED counts neither way, every other status is a success.
   */
  readonly classify?: (status: CallStatus) => Settlement | undefined;
  /**
   * Whether a call waits until its deadline while no endpoint can be connected to, as with gRPC's wait-for-ready; if false,
   * it then fails at once with UNAVAILABLE. A call always waits for the first set of a discovery. Default: true.
   */
  readonly waitForReady?: boolean;
  /** The rest of the channel's service configuration, as `methodConfig` with a retry policy. Default: none. */
  readonly serviceConfig?: object;
}

/** The target and the options of a grpc-js client. */
export interface BalancedChannel extends Disposable {
  readonly target: string;
  readonly options: { readonly 'grpc.service_config': string };
  /** Releases the balancer. Close the clients first. */
  close(): void;
}

/**
 * Makes a client of grpc-js send each call to an endpoint of the balancer, at the host and port of its `url`:
 * `new Client(channel.target, credentials, channel.options)`. A stream counts as in flight until it ends. Uses the
 * load-balancing interface of grpc-js, which its authors call experimental.
 *
 * @throws InvalidOptionError, and InvalidEndpointError for an endpoint whose url has no host; a later set that has one is refused
 */
export function balancedChannel<E extends EndpointWithUrl>(
  balancer: LoadBalancer<E>,
  options: BalancedChannelOptions = {},
): BalancedChannel {
  checkBalancer(balancer);
  const {
    authority = balancer.name,
    key,
    classify,
    waitForReady,
    serviceConfig,
  } = readOptions('balancedChannel', options, rules);
  const unwatch = balancer.watch(() => {}, { check });
  introduce();
  const id = openChannel<E>({ balancer, authority, key, classify, waitForReady });
  const config = { ...serviceConfig, loadBalancingConfig: [new BalancerConfig(id).toJsonObject()] };
  const close = () => {
    unwatch();
    closeChannel(id);
  };
  return {
    target: `${typeName}:${id}`,
    options: { 'grpc.service_config': JSON.stringify(config) },
    close,
    [Symbol.dispose]: close,
  };
}

type Functions = Required<Pick<BalancedChannelOptions, 'key' | 'classify'>>;

const rules = {
  authority: text(),
  key: defaultTo<Functions['key']>(() => undefined, functionOf()),
  classify: defaultTo<Functions['classify']>(byCode, functionOf()),
  waitForReady: boolean(true),
  serviceConfig: defaultTo<object>({}, objectWith<object>([])),
} satisfies RulesFor<BalancedChannelOptions>;

const check = urlCheck('an absolute url with a host', url => addressOf({ url }) !== undefined);

let introduced = false;

/** Registers the scheme and the load balancer with grpc-js, once. */
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
  const failure = {
    ok: false,
    error: new Error(details),
    ...(code === status.RESOURCE_EXHAUSTED && { blame: false }),
  };
  const pushbackMs = Number(metadata.get('grpc-retry-pushback-ms')[0] ?? Number.NaN);
  return pushbackMs >= 0 ? { ...failure, retryAfterMs: pushbackMs } : failure;
}
