import { seededRandom } from '@ashlar/core';
import type { EndpointWithUrl } from '@ashlar/lb';
import { balancerPolicies, type PolicyName } from '../policies.ts';

export interface RoutedOptions {
  readonly policy: PolicyName;
  readonly endpoints: readonly EndpointWithUrl[];
  readonly seed: number;
}

/**
 * The requests that each endpoint gets by the policy, by its id, when they come one after another and all are answered
 * equally fast. The same seed gives the same.
 */
export function routed(
  keys: readonly string[],
  { policy: name, endpoints, seed }: RoutedOptions,
): ReadonlyMap<string, readonly string[]> {
  const requests = new Map(endpoints.map(({ id }): [string, string[]] => [id, []]));
  const policy = balancerPolicies[name]()();
  policy.update(endpoints.map(endpoint => ({ endpoint, inFlight: 0, weight: 1 })));
  const common = { now: 0, random: seededRandom(seed), skip: () => false };
  for (const key of keys) requests.get(policy.pick({ ...common, key })!.endpoint.id)!.push(key);
  return requests;
}
