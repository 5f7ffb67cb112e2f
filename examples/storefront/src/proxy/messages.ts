import type { EndpointWithUrl } from '@ashlar/lb';
import type { PolicyName } from '../policies.ts';

export interface ProxySettings {
  readonly policy: PolicyName;
  readonly port: number;
}

/** To the proxy: the replicas that there are. It plays the part of a registry. */
export interface Announcement {
  readonly endpoints: readonly EndpointWithUrl[];
}

/** From the proxy: what its balancer has done. */
export type Notice = { readonly type: 'endpoints' } | { readonly type: 'ejected'; readonly replica: string };
