import { integer, type Rule, type RulesFor, readOptions, refused, required } from '@ashlar/core';
import { murmur3, RendezvousHash } from '@ashlar/hash-ring';
import { checkedEndpoints, type Discovery, type Endpoint, endpointList, isDiscovery } from '../endpoint.ts';

export interface SubsetOptions {
  /**
   * This client: its number among all clients, from 0 without gaps, such as the ordinal of a pod, which spreads load
   * evenly; or a unique name, which spreads it randomly.
   */
  readonly client: number | string;
  /** How many endpoints a client uses, at least 1. */
  readonly size: number;
}

const clientNumber = /* @__PURE__ */ integer(undefined, { min: 0 });

const clientRule: Rule<number | string> = (value, option) => {
  if (typeof value === 'number') return clientNumber(value, option)!;
  if (typeof value === 'string' && value !== '') return value;
  throw refused(option, 'a number or a name', value);
};

const rules = /* @__PURE__ */ (() =>
  ({
    client: clientRule,
    size: required(integer(undefined, { min: 1 }), 'how many endpoints a client uses'),
  }) satisfies RulesFor<SubsetOptions>)();

const goldenRatio = (Math.sqrt(5) - 1) / 2;

/**
 * Deterministic subsetting: the endpoints that one of many clients uses, so that it need not connect to all. Equal sets give
 * equal subsets, whatever their order, and each endpoint has about as many clients as every other. Returns all endpoints
 * when there are no more than `size`. Of a discovery it returns a discovery with the subset of each set.
 *
 * Clients with a number take neighbors on a ring of the endpoints, beginning at steps of the golden ratio, so that any number
 * of clients spreads evenly; when an endpoint joins or leaves, a client changes at most two of its own. Clients with a name
 * draw theirs (rendezvous hashing, as in gRPC's proposal A68); only clients that have, or will have, the endpoint change it.
 *
 * @throws InvalidOptionError; for a list also InvalidEndpointError and DuplicateEndpointError
 */
export function subset<E extends Endpoint>(endpoints: Iterable<E>, options: SubsetOptions): E[];
export function subset<E extends Endpoint>(endpoints: Discovery<E>, options: SubsetOptions): Discovery<E>;
export function subset<E extends Endpoint>(
  endpoints: Iterable<E> | Discovery<E>,
  options: SubsetOptions,
): E[] | Discovery<E> {
  const { client, size } = readOptions('subset', options, rules);
  const choose = (all: Iterable<E>): E[] => {
    const list = [...all];
    if (list.length <= size) return list;
    return typeof client === 'number' ? neighbors(list, client, size) : drawn(list, client, size);
  };
  if (isDiscovery(endpoints)) return new SubsetDiscovery(endpoints, choose);
  return choose(checkedEndpoints(endpointList(endpoints)));
}

function neighbors<E extends Endpoint>(all: readonly E[], client: number, size: number): E[] {
  const ring = all.map(endpoint => ({ endpoint, at: murmur3(endpoint.id) }));
  ring.sort((a, b) => a.at - b.at || (a.endpoint.id < b.endpoint.id ? -1 : 1));
  const first = Math.floor(((client * goldenRatio) % 1) * ring.length);
  return Array.from({ length: size }, (_, step) => ring[(first + step) % ring.length]!.endpoint);
}

function drawn<E extends Endpoint>(all: readonly E[], client: string, size: number): E[] {
  const byId = new Map(all.map(endpoint => [endpoint.id, endpoint]));
  // By id alone: weights and zones have no part in it
  return new RendezvousHash(byId.keys()).getN(client, size).map(id => byId.get(id)!);
}

class SubsetDiscovery<E extends Endpoint> implements AsyncIterable<readonly E[]> {
  readonly #source: Discovery<E>;
  readonly #pick: (all: Iterable<E>) => E[];

  constructor(source: Discovery<E>, pick: (all: Iterable<E>) => E[]) {
    this.#source = source;
    this.#pick = pick;
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly E[]> {
    const sets = this.#source[Symbol.asyncIterator]();
    const next = async (): Promise<IteratorResult<readonly E[]>> => {
      const item = await sets.next();
      return item.done === true ? item : { done: false, value: this.#of(item.value) };
    };
    const leave = async (): Promise<IteratorResult<readonly E[]>> => {
      await sets.return?.();
      return { done: true, value: undefined };
    };
    return { next, return: leave };
  }

  /** A set that cannot be read passes as it is, for the balancer to refuse it and to go on. */
  #of(set: readonly E[]): readonly E[] {
    try {
      return this.#pick(checkedEndpoints(set));
    } catch {
      return set;
    }
  }
}
