import type { IncomingMessage } from 'node:http';
import { type Channel, channel } from '@ashlar/core';

/** A request could not be answered with what an endpoint said. */
export interface ProxyErrorMessage {
  readonly balancer: string;
  readonly request: IncomingMessage;
  readonly error: unknown;
  /** What the client was told; absent when it is gone, or its response was cut off. */
  readonly status: number | undefined;
}

export const proxyErrors: Channel<ProxyErrorMessage> = channel('ashlar:lb:proxy-error');
