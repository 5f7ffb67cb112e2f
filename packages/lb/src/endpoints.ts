import { describe } from '@ashlar/core';
import type { Endpoint } from './endpoint.ts';
import { DuplicateEndpointError, InvalidEndpointError } from './errors.ts';

/** The endpoints as a list of their own. @throws InvalidEndpointError, DuplicateEndpointError */
export function checkedEndpoints<E extends Endpoint>(endpoints: Iterable<E>): E[] {
  const checked = [...endpoints];
  const ids = new Set<string>();
  for (const [index, endpoint] of checked.entries()) {
    checkEndpoint(index, endpoint);
    if (ids.has(endpoint.id)) throw new DuplicateEndpointError(endpoint.id);
    ids.add(endpoint.id);
  }
  return checked;
}

export function weightOf(endpoint: Endpoint): number {
  return endpoint.weight ?? 1;
}

/** Beyond this, sums of weights are not exact, and end up infinite. */
const maxWeight = Number.MAX_SAFE_INTEGER;

function checkEndpoint(index: number, endpoint: Endpoint | null): void {
  if (typeof endpoint !== 'object' || endpoint === null) {
    throw new InvalidEndpointError(index, `must be an object with an \`id\`, got ${describe(endpoint)}`);
  }
  const { id, url, weight = 1, zone } = endpoint;
  if (typeof id !== 'string' || id === '') {
    throw new InvalidEndpointError(
      index,
      `must have an \`id\` that is a string and not empty, got ${describe(id)}`,
    );
  }
  if (typeof weight !== 'number' || !(weight >= 0 && weight <= maxWeight)) {
    const must = `must have a \`weight\` that is a number of at least 0 and at most ${maxWeight}`;
    throw new InvalidEndpointError(index, `(${describe(id)}) ${must}, got ${describe(weight)}`);
  }
  for (const [name, value] of Object.entries({ url, zone })) {
    if (value === undefined || typeof value === 'string') continue;
    throw new InvalidEndpointError(
      index,
      `(${describe(id)}) must have a string as its \`${name}\`, got ${describe(value)}`,
    );
  }
}

/** Whether two descriptions of an endpoint say the same, so that nothing need follow from the newer one. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  if (a === b) return true;
  const before = Object.entries(a);
  const after = b as unknown as Readonly<Record<string, unknown>>;
  return (
    before.length === Object.keys(b).length && before.every(([name, value]) => Object.is(value, after[name]))
  );
}
