import type { Key } from '@ashlar/hash-ring';
import type { Metadata, StatusObject } from '@grpc/grpc-js';
import type { Endpoint } from '../../endpoint.ts';
import type { LoadBalancer } from '../../load-balancer.ts';
import type { Settlement } from '../../policy.ts';

/** The status that ended a call. */
export type CallStatus = Pick<StatusObject, 'code' | 'details' | 'metadata'>;

/** The settings of one balanced channel. */
export interface ChannelSettings<E extends Endpoint> {
  readonly balancer: LoadBalancer<E>;
  readonly authority: string;
  readonly key: (metadata: Metadata) => Key | undefined;
  readonly classify: (status: CallStatus) => Settlement | undefined;
  readonly waitForReady: boolean;
}

/** By id. Grpc-js constructs resolvers and load balancers itself and passes them no more than the target. */
const channels = new Map<string, ChannelSettings<Endpoint>>();
let opened = 0;

export function openChannel<E extends Endpoint>(settings: ChannelSettings<E>): string {
  const id = String(++opened);
  // Settings meet endpoints of their own balancer only
  channels.set(id, settings as unknown as ChannelSettings<Endpoint>);
  return id;
}

export function closeChannel(id: string): void {
  channels.delete(id);
}

export function channelOf(id: string): ChannelSettings<Endpoint> | undefined {
  return channels.get(id);
}
