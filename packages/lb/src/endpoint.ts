import { describe, misspelled, type Rule, refused } from '@ashlar/core';
import { DuplicateEndpointError, InvalidEndpointError } from './errors.ts';

/** One replica of a service. Other fields are the user's own and come back with every pick. */
export interface Endpoint {
  /** Any non-empty string, unique within a balancer. Identifies the endpoint when the set changes. */
  readonly id: string;
  /**
   * Where it listens, an absolute url. The adapters and `httpCheck` read it; the balancer itself only checks its form. Requests
   * over HTTP go below its path, with its query before their own, and with its credentials unless they have an `Authorization`.
   */
  readonly url?: string;
  /** Its share of the traffic relative to the others, at most 2^53 - 1. At 0 it gets no new requests. Default: 1. */
  readonly weight?: number;
  /** Its availability zone: endpoints of one zone can fail together. */
  readonly zone?: string;
}

/** What the adapters need that send the requests themselves. */
export interface EndpointWithUrl extends Endpoint {
  readonly url: string;
}

/**
 * A source of endpoints: each item is the full set, not a change. An endpoint whose id stays keeps its statistics; its
 * weight, url, zone and other fields are taken over.
 *
 * The balancer refuses a set that is empty, ill-formed or lists an endpoint twice; the last good set stays in use. It also
 * stays when the iterable ends or throws. The balancer does not iterate again: a source that should survive an error
 * catches it. `close` of the balancer calls the iterator's `return` and does not wait for it.
 */
export type Discovery<E extends Endpoint> = AsyncIterable<readonly E[]>;

export function isDiscovery<E extends Endpoint>(
  endpoints: Iterable<E> | Discovery<E>,
): endpoints is Discovery<E> {
  return typeof (endpoints as Partial<Discovery<E>> | null)?.[Symbol.asyncIterator] === 'function';
}

/** A list of endpoints or a discovery. A string is refused, as its characters would pass for a list. */
export const endpointSource: Rule<object | undefined> = (value, option) => {
  if (value === undefined || isListOrDiscovery(value)) return value;
  throw refused(option, 'a list of endpoints or an async iterable of lists', value, adviceForSource);
};

/** @throws InvalidOptionError */
export function endpointList<E extends Endpoint>(endpoints: Iterable<E>): Iterable<E> {
  if (isListOrDiscovery(endpoints) && Symbol.iterator in endpoints) return endpoints;
  throw refused('endpoints', 'a list of endpoints or an async iterable of lists', endpoints, adviceForSource);
}

function isListOrDiscovery(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return Symbol.iterator in value || Symbol.asyncIterator in value;
}

function adviceForSource(value: unknown): string | undefined {
  if (typeof value === 'string') return `write \`[{ id: ${describe(value)} }]\``;
  if (typeof value !== 'object' || value === null) return undefined;
  return 'id' in value ? 'write `[endpoint]`' : undefined;
}

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

/** What a misspelled field could have meant. A misspelled `id` is an absent one. */
const optionalFields = ['url', 'weight', 'zone'];

function checkEndpoint(index: number, endpoint: Endpoint | null): void {
  if (typeof endpoint !== 'object' || endpoint === null) {
    const advice = typeof endpoint === 'string' ? `; write \`{ id: ${describe(endpoint)} }\`` : '';
    throw new InvalidEndpointError(
      index,
      `must be an object with an \`id\`, got ${describe(endpoint)}${advice}`,
    );
  }
  const { id, weight = 1 } = endpoint;
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
  for (const name of ['url', 'zone'] as const) {
    const value: unknown = endpoint[name];
    if (value === undefined || typeof value === 'string') continue;
    const advice = value instanceof URL ? '; write `String(url)`' : '';
    throw new InvalidEndpointError(
      index,
      `(${describe(id)}) must have a string as its \`${name}\`, got ${describe(value)}${advice}`,
    );
  }
  checkUrl(index, endpoint);
  for (const name of Object.keys(endpoint)) refuseSlip(index, endpoint, name);
}

/** `localhost:8080` would be a url, of the protocol `localhost`. */
const hostAndPort = /^[\w.-]+:\d+(?:\/|$)/;

function checkUrl(index: number, { id, url }: Endpoint): void {
  if (url === undefined) return;
  const lacksProtocol = hostAndPort.test(url);
  if (URL.canParse(url) && !lacksProtocol) return;
  const must = `(${describe(id)}) must have an absolute url as its \`url\`, got ${describe(url)}`;
  throw new InvalidEndpointError(index, lacksProtocol ? `${must}; write \`http://${url}\`` : must);
}

/** Endpoints have fields of the user's own. A misspelled one is where the right one is missing. */
function refuseSlip(index: number, endpoint: Endpoint, name: string): void {
  const meant = misspelled(name, optionalFields);
  if (meant === undefined || meant in endpoint) return;
  const slip = `has no field \`${name}\`; did you mean \`${meant}\`?`;
  throw new InvalidEndpointError(index, `(${describe(endpoint.id)}) ${slip}`);
}

/** Whether two descriptions of an endpoint are equal, field by field. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  if (a === b) return true;
  const before = Object.entries(a);
  const after = b as unknown as Readonly<Record<string, unknown>>;
  return (
    before.length === Object.keys(b).length && before.every(([name, value]) => Object.is(value, after[name]))
  );
}
