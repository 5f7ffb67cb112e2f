import { objectWith, required } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import type { LoadBalancer } from '../load-balancer.ts';

const advice = 'write `new LoadBalancer({ endpoints })`';
const rule = required(objectWith<LoadBalancer<Endpoint>>(['run', 'pick', 'watch'], advice), advice);

/** @throws InvalidOptionError */
export function checkBalancer(balancer: unknown): void {
  rule(balancer, 'balancer');
}
