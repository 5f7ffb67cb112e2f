import { type Checked, integer, type RulesFor, readOptions, required } from '@ashlar/core';
import { BoundedLoad } from '../../bounded-load.ts';
import { checkedId } from '../../nodes/read-nodes.ts';
import {
  type HaproxyNode,
  type HaproxyOptions,
  type HaproxyServers,
  haproxyPlacement,
  haproxyRules,
  haproxyServers,
  pointsPerWeight,
} from './haproxy-hash.ts';

export interface HaproxyBoundedOptions extends HaproxyOptions {
  /** `hash-balance-factor`: how much of its fair part of the requests a server may have, in percent, above 100. */
  readonly balanceFactor: number;
}

const rules = {
  ...haproxyRules,
  balanceFactor: required(integer(undefined, { min: 101, max: 2 ** 31 - 1 }), 'percent of the fair part'),
} satisfies RulesFor<HaproxyBoundedOptions>;

/**
 * The servers of a backend with `hash-type consistent` and `hash-balance-factor` in HAProxy: `acquire` returns the
 * server of a request; requests acquired and not released count as under way.
 *
 * All else is as in `haproxyHash`. HAProxy counts the requests that a server has and not those that wait in queues; its
 * bounds are computed in unsigned 32-bit integers, so are these, with the same overflow.
 *
 * Checked against HAProxy 2.6.12 with requests held open.
 *
 * @throws InvalidOptionError, DuplicateNodeError
 */
export function haproxyBounded(
  nodes: Iterable<string | HaproxyNode>,
  options: HaproxyBoundedOptions,
): BoundedLoad {
  const settings = readOptions('haproxyBounded', options, rules);
  return new HaproxyBoundedLoad(haproxyServers(nodes), settings);
}

class HaproxyBoundedLoad extends BoundedLoad {
  readonly #balanceFactor: number;
  /** By server: its effective weight, and that of all servers before it. */
  readonly #weights: ReadonlyMap<string, { readonly own: number; readonly before: number }>;
  readonly #totalWeight: number;

  constructor(servers: HaproxyServers, settings: Checked<typeof rules>) {
    super(haproxyPlacement(servers, settings), { factor: settings.balanceFactor / 100 });
    const weights = new Map<string, { own: number; before: number }>();
    let before = 0;
    for (const { id, weight, down } of servers) {
      const own = down ? 0 : weight * pointsPerWeight;
      weights.set(id, { own, before });
      before += own;
    }
    this.#balanceFactor = settings.balanceFactor;
    this.#weights = weights;
    this.#totalWeight = before;
  }

  /** What HAProxy calls the slots of a server: whole parts by weight, the remainder by turns, at least 1. */
  override capacityOf(id: string): number {
    const weight = this.#weights.get(checkedId(id));
    if (weight === undefined || weight.own === 0) return 0;
    const slots = Math.floor(((Math.imul(this.total + 1, this.#balanceFactor) + 99) >>> 0) / 100);
    const remainder = slots % this.#totalWeight;
    const through = Math.imul(weight.before + weight.own, remainder) >>> 0;
    const before = Math.imul(weight.before, remainder) >>> 0;
    const own =
      Math.imul(weight.own, Math.floor(slots / this.#totalWeight)) +
      Math.floor(through / this.#totalWeight) -
      Math.floor(before / this.#totalWeight);
    return own >>> 0 || 1;
  }
}
