import { describe, objectWith, required } from '@ashlar/core';
import type { Endpoint, EndpointWithUrl } from '../endpoint.ts';
import { InvalidEndpointError } from '../errors.ts';
import type { LoadBalancer } from '../load-balancer.ts';

const advice = 'write `new LoadBalancer({ endpoints })`';
const rule = required(objectWith<LoadBalancer<EndpointWithUrl>>(['run', 'pick', 'watch'], advice), advice);

/** @throws InvalidOptionError */
export function checkBalancer(balancer: unknown): void {
  rule(balancer, 'balancer');
}

/**
 * For `check` of `watch`: whether an adapter can reach every endpoint of a set. Without it one that has no usable url would be
 * found out by its first request.
 *
 * @param expected what a url must be, as in `an absolute url`
 */
export function urlCheck(
  expected: string,
  isUsable: (url: string | undefined) => boolean,
): (endpoints: readonly Endpoint[]) => void {
  return endpoints => {
    for (const [index, { id, url }] of endpoints.entries()) {
      if (isUsable(url)) continue;
      const must = `must have ${expected} as its \`url\`, got ${describe(url)}`;
      throw new InvalidEndpointError(index, `(${describe(id)}) ${must}`);
    }
  };
}
