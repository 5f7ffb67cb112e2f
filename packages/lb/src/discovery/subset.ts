import { describe, InvalidOptionError, integerOption, knownOptions } from '@ashlar/core';
import { murmur3, RendezvousHash } from '@ashlar/hash-ring';
import type { Discovery, Endpoint } from '../endpoint.ts';

export interface SubsetOptions {
  /**
   * Who asks: its number among its like, from 0 on without gaps, as the ordinal of a pod, for a load that is even; or any
   * name of its own, for one that is even to within chance.
   */
  readonly client: number | string;
  /** How many endpoints it uses, at least 1. */
  readonly size: number;
}

const goldenRatio = (Math.sqrt(5) - 1) / 2;

/**
 * The endpoints that one of many clients uses, so that it need not be connected to all: always the same ones, whatever
 * their order, and each endpoint has about as many clients as every other. All of them when there are no more than
 * `size`. A discovery gives one, with the same of each of its sets.
 *
 * Clients with a number take neighbors on a ring of the endpoints, beginning at steps of the golden ratio, so that any
 * count of clients is spread evenly; when an endpoint joins or leaves, a client changes two of its own at most. Clients
 * with a name draw theirs (rendezvous hashing, as in gRPC's proposal A68); only those who have, or will have, the
 * endpoint change it.
 *
 * @throws InvalidOptionError
 */
export function subset<E extends Endpoint>(endpoints: Iterable<E>, options: SubsetOptions): E[];
export function subset<E extends Endpoint>(endpoints: Discovery<E>, options: SubsetOptions): Discovery<E>;
export function subset<E extends Endpoint>(
  endpoints: Iterable<E> | Discovery<E>,
  options: SubsetOptions,
): E[] | Discovery<E> {
  knownOptions('subset', options, ['client', 'size']);
  const size = integerOption('size', options.size, { min: 1 });
  const choose = chooser<E>(options.client, size);
  const pick = (all: Iterable<E>): E[] => {
    const list = [...all];
    return list.length <= size ? list : choose(list);
  };
  return Symbol.asyncIterator in endpoints ? new SubsetDiscovery(endpoints, pick) : pick(endpoints);
}

function chooser<E extends Endpoint>(client: number | string, size: number): (all: readonly E[]) => E[] {
  if (typeof client === 'number') {
    integerOption('client', client, { min: 0 });
    return all => neighbors(all, client, size);
  }
  if (typeof client === 'string' && client !== '') return all => drawn(all, client, size);
  throw new InvalidOptionError('client', `\`client\` must be a number or a name, got ${describe(client)}`);
}

function neighbors<E extends Endpoint>(all: readonly E[], client: number, size: number): E[] {
  const ring = all.map(endpoint => ({ endpoint, at: murmur3(endpoint.id) }));
  ring.sort((a, b) => a.at - b.at || (a.endpoint.id < b.endpoint.id ? -1 : 1));
  const first = Math.floor(((client * goldenRatio) % 1) * ring.length);
  return Array.from({ length: size }, (_, step) => ring[(first + step) % ring.length]!.endpoint);
}

function drawn<E extends Endpoint>(all: readonly E[], client: string, size: number): E[] {
  const byId = new Map(all.map(endpoint => [endpoint.id, endpoint]));
  // By id alone: neither weights nor zones decide who serves whom
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
      return item.done === true ? item : { done: false, value: this.#pick(item.value) };
    };
    const leave = async (): Promise<IteratorResult<readonly E[]>> => {
      await sets.return?.();
      return { done: true, value: undefined };
    };
    return { next, return: leave };
  }
}
