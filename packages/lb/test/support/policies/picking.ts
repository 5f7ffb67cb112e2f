import type { Endpoint, EndpointSnapshot, LoadBalancer, Picked } from '../../../src/index.ts';

/** Picks until the endpoint comes, and gives the others back unjudged; `undefined` when it does not come. */
export function pickOf<E extends Endpoint>(lb: LoadBalancer<E>, id: string): Picked<E> | undefined {
  for (let tries = 0; tries < 50; tries++) {
    const picked = lb.pick();
    if (picked.endpoint.id === id) return picked;
    picked.done();
  }
  return undefined;
}

export function fail<E extends Endpoint>(lb: LoadBalancer<E>, id: string, times: number): void {
  for (let i = 0; i < times; i++) pickOf(lb, id)!.done({ ok: false });
}

/** Who is picked in so many requests that all succeed, and how often. */
export function shares<E extends Endpoint>(lb: LoadBalancer<E>, requests: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < requests; i++) {
    const picked = lb.pick();
    picked.done({ ok: true });
    counts[picked.endpoint.id] = (counts[picked.endpoint.id] ?? 0) + 1;
  }
  return counts;
}

export function stateOf<E extends Endpoint>(lb: LoadBalancer<E>, id: string): EndpointSnapshot['state'] {
  return lb.snapshot().endpoints.find(endpoint => endpoint.id === id)!.state;
}

export function ids(count: number): { id: string }[] {
  return Array.from({ length: count }, (_, index) => ({ id: 'abcdefghijklmnopqrstuvwxyz'[index]! }));
}
