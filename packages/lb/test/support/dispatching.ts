import { onTestFinished } from 'vitest';
import {
  type BalancedDispatcher,
  type BalancedDispatcherOptions,
  balancedDispatcher,
} from '../../src/adapters/undici.ts';
import { type EndpointWithUrl, LoadBalancer, type LoadBalancerOptions, roundRobin } from '../../src/index.ts';
import { Replica } from './servers/replica.ts';

export interface Dispatching {
  readonly lb: LoadBalancer<EndpointWithUrl>;
  readonly dispatcher: BalancedDispatcher<EndpointWithUrl>;
}

/** A dispatcher over these endpoints, by round robin, ended at the end of the test. */
export function dispatching(
  endpoints: LoadBalancerOptions<EndpointWithUrl>['endpoints'],
  options: BalancedDispatcherOptions = {},
  balancing: Partial<LoadBalancerOptions<EndpointWithUrl>> = {},
): Dispatching {
  const lb = new LoadBalancer<EndpointWithUrl>({ endpoints, policy: roundRobin(), ...balancing });
  const dispatcher = balancedDispatcher(lb, options);
  onTestFinished(() => Promise.all([dispatcher.destroy(), lb.close()]).then(() => {}));
  return { lb, dispatcher };
}

/** Round robin begins with `a`, which misbehaves; `b` is well. */
export async function aAndB(
  mode = 'ok',
  options: BalancedDispatcherOptions = {},
): Promise<Dispatching & { a: Replica; b: Replica }> {
  const [a, b] = (await Replica.all('a', 'b')) as [Replica, Replica];
  await a.mode(mode);
  return { a, b, ...dispatching([a, b], options) };
}
