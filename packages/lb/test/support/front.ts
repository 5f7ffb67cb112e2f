import { createServer, type Server } from 'node:http';
import { onTestFinished } from 'vitest';
import { type ReverseProxy, type ReverseProxyOptions, reverseProxy } from '../../src/adapters/proxy.ts';
import { type EndpointWithUrl, LoadBalancer, type LoadBalancerOptions, roundRobin } from '../../src/index.ts';
import { type Listening, listening } from './servers/listening.ts';

export interface Front extends Listening {
  readonly lb: LoadBalancer<EndpointWithUrl>;
  readonly proxy: ReverseProxy;
  readonly server: Server;
}

/** A proxy before these endpoints, by round robin, closed at the end of the test. */
export async function front(
  endpoints: LoadBalancerOptions<EndpointWithUrl>['endpoints'],
  options: ReverseProxyOptions = {},
  balancing: Partial<LoadBalancerOptions<EndpointWithUrl>> = {},
): Promise<Front> {
  const lb = new LoadBalancer<EndpointWithUrl>({ endpoints, policy: roundRobin(), ...balancing });
  const proxy = reverseProxy(lb, options);
  const server = createServer(proxy).on('upgrade', proxy.upgrade);
  onTestFinished(() => Promise.all([proxy.close(), lb.close()]).then(() => {}));
  return { ...(await listening(server)), lb, proxy, server };
}
