import type { Endpoint } from '@ashlar/lb';

/** How the proxy balances: sticky by product, so that each is cached once, or not. */
export type PolicyName = 'consistent' | 'round-robin';

export interface ProxySettings {
  readonly policy: PolicyName;
  readonly port: number;
}

/** To the proxy: the replicas that there are. It plays the part of a registry. */
export interface Announcement {
  readonly endpoints: readonly Endpoint[];
}

/** From the proxy: what its balancer has done. */
export type Notice = { readonly type: 'endpoints' } | { readonly type: 'ejected'; readonly replica: string };
