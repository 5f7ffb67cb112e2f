import { refuseMore } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import type { Candidate, PickRequest, Policy, PolicyFactory } from '../policy.ts';
import { Lottery } from './shared/lottery.ts';

/**
 * One after another in proportion to their weights, as evenly spread as possible: weights 5, 1, 1 give `aabacaa`. The
 * sequence is that of nginx's smooth weighted round robin, tie for tie, for weights of any size.
 *
 * nginx compares all servers for each request. Here endpoints of equal weight form a group, and only the next one of each
 * group is compared: a pick costs the same for any number of endpoints, and more for more distinct weights.
 *
 * The turn of one that must be skipped goes to a random other one, in proportion to the weights. A change of the set, or of
 * weights, continues where it was: no endpoint loses its turn.
 */
export function weightedRoundRobin(...more: []): PolicyFactory {
  refuseMore('weightedRoundRobin', more, 0);
  return () => new WeightedRoundRobin();
}

/** The endpoints of one weight, in the order of their turns. */
interface WeightGroup<E extends Endpoint> {
  readonly weight: number;
  readonly members: readonly GroupMember<E>[];
  /** The index of the next; those before it had their turn in this round. */
  next: number;
  /** How far the next member is behind: what nginx calls its current weight. Each before it has `total` less. */
  behind: number;
}

interface GroupMember<E extends Endpoint> {
  readonly candidate: Candidate<E>;
  /** Its place among all: of two that are equally far behind the earlier one is first. */
  readonly index: number;
}

class WeightedRoundRobin<E extends Endpoint> implements Policy<E> {
  readonly #lottery = new Lottery<E>();
  #candidates: readonly Candidate<E>[] = [];
  #groups: readonly WeightGroup<E>[] = [];
  #total = 0;

  update(eligible: readonly Candidate<E>[]): void {
    const total = eligible.reduce((sum, { weight }) => sum + weight, 0);
    const behind = this.#behind(this.#total === 0 ? 1 : total / this.#total);
    const members = eligible.map((candidate, index) => ({ candidate, index }));
    this.#groups = Array.from(byWeight(members), ([weight, group]) => groupOf(weight, group, behind, total));
    this.#total = total;
    this.#candidates = eligible;
    this.#lottery.update(eligible);
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    let best: WeightGroup<E> | undefined;
    let first: GroupMember<E> | undefined;
    for (const group of this.#groups) {
      group.behind += group.weight;
      const member = group.members[group.next]!;
      if (best !== undefined && group.behind < best.behind) continue;
      if (best !== undefined && group.behind === best.behind && member.index > first!.index) continue;
      best = group;
      first = member;
    }
    if (best === undefined) return undefined;
    best.next++;
    if (best.next === best.members.length) {
      best.next = 0;
      best.behind -= this.#total;
    }
    const { candidate } = first!;
    return request.skip(candidate) ? this.#candidates[this.#lottery.draw(request)] : candidate;
  }

  /** How far each is behind, times the factor by which a turn is more than it was. */
  #behind(factor: number): Map<Candidate<E>, number> {
    const behind = new Map<Candidate<E>, number>();
    for (const group of this.#groups) {
      for (const [place, { candidate }] of group.members.entries()) {
        behind.set(candidate, (group.behind - (place < group.next ? this.#total : 0)) * factor);
      }
    }
    return behind;
  }
}

/** Continues where its members were: the one that waits longest is next, and all together are as far behind as before. */
function groupOf<E extends Endpoint>(
  weight: number,
  members: readonly GroupMember<E>[],
  behind: ReadonlyMap<Candidate<E>, number>,
  total: number,
): WeightGroup<E> {
  const behindOf = ({ candidate }: GroupMember<E>) => behind.get(candidate) ?? 0;
  const sorted = [...members].sort((a, b) => behindOf(b) - behindOf(a));
  const most = behindOf(sorted[0]!);
  const waiting = sorted.filter(member => behindOf(member) > most - total / 2);
  const served = sorted.slice(waiting.length);
  const sum = sorted.reduce((all, member) => all + behindOf(member), 0);
  return {
    weight,
    members: [...served, ...waiting],
    next: served.length,
    behind: (sum + served.length * total) / sorted.length,
  };
}

function byWeight<E extends Endpoint>(members: readonly GroupMember<E>[]): Map<number, GroupMember<E>[]> {
  const groups = new Map<number, GroupMember<E>[]>();
  for (const member of members) {
    const { weight } = member.candidate;
    const group = groups.get(weight);
    if (group === undefined) groups.set(weight, [member]);
    else group.push(member);
  }
  return groups;
}
