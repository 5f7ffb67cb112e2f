import type { experimental as Experimental } from '@grpc/grpc-js';
import { experimental } from '#grpc';
import type { Endpoint } from '../../endpoint.ts';
import { type ChannelSettings, channelOf } from './channels.ts';

/** Notifies a channel of changed endpoints. Its load balancer reads the endpoints from the balancer. */
export class BalancerResolver implements Experimental.Resolver {
  static getDefaultAuthority({ path }: Experimental.GrpcUri): string {
    return channelOf(path)?.authority ?? path;
  }

  readonly #listener: Experimental.ResolverListener;
  readonly #channel: ChannelSettings<Endpoint> | undefined;
  #unwatch: (() => void) | undefined;

  constructor({ path }: Experimental.GrpcUri, listener: Experimental.ResolverListener) {
    this.#listener = listener;
    this.#channel = channelOf(path);
  }

  updateResolution(): void {
    if (this.#unwatch !== undefined || this.#channel === undefined) return;
    const { balancer } = this.#channel;
    this.#unwatch = balancer.watch(endpoints => {
      // Without a resolution calls wait
      if (endpoints.length === 0 && balancer.snapshot().discovery === 'waiting') return;
      // Grpc-js must not be called back within its own call
      queueMicrotask(() => {
        if (this.#unwatch === undefined) return;
        const addresses = endpoints.flatMap(endpoint => addressOf(endpoint) ?? []);
        this.#listener(
          experimental.statusOrFromValue(addresses.map(each => ({ addresses: [each] }))),
          {},
          null,
          '',
        );
      });
    });
  }

  destroy(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }
}

/** The host and port of its url; `undefined` when it has no url with a host. */
export function addressOf({
  url,
}: {
  readonly url?: string | undefined;
}): { host: string; port: number } | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  const { hostname, port, protocol } = new URL(url);
  if (hostname === '') return undefined;
  const byDefault = protocol === 'https:' ? 443 : 80;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? byDefault : Number(port) };
}
