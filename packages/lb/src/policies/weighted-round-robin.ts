import type { Endpoint } from '../endpoint.ts';
import type { Candidate, PickRequest, Policy, PolicyFactory } from '../policy.ts';
import { Lottery } from './shared/lottery.ts';

/**
 * One after another in proportion to their weights, and as evenly spread as can be: weights 5, 1, 1 give `aabacaa`. The
 * sequence is that of nginx's smooth weighted round robin, tie for tie, for weights of any size.
 *
 * nginx looks at every server for each request; here those of equal weight wait in a line, and only the heads of the
 * lines are compared. So a pick costs the same for any number of endpoints, and more for more distinct weights.
 *
 * The turn of one that must be skipped falls to any of the others by lot, in proportion to the weights. A change of the
 * set, or of weights, goes on where it was: nobody loses the turns that it waited for.
 */
export function weightedRoundRobin(): PolicyFactory {
  return () => new WeightedRoundRobin();
}

/** Those of one weight, in the order of their turns. */
interface Line<E extends Endpoint> {
  readonly weight: number;
  readonly members: readonly Member<E>[];
  /** Whose turn it is; those before it had theirs in this round. */
  next: number;
  /** How far the next member is behind: what nginx calls its current weight. Each before it has `total` less. */
  behind: number;
}

interface Member<E extends Endpoint> {
  readonly candidate: Candidate<E>;
  /** Its place among all: of two that are equally far behind the earlier one is first. */
  readonly index: number;
}

class WeightedRoundRobin<E extends Endpoint> implements Policy<E> {
  readonly #lottery = new Lottery<E>();
  #candidates: readonly Candidate<E>[] = [];
  #lines: readonly Line<E>[] = [];
  #total = 0;

  update(eligible: readonly Candidate<E>[]): void {
    const total = eligible.reduce((sum, { weight }) => sum + weight, 0);
    const behind = this.#behind(this.#total === 0 ? 1 : total / this.#total);
    const members = eligible.map((candidate, index) => ({ candidate, index }));
    this.#lines = Array.from(grouped(members), ([weight, line]) => lineOf(weight, line, behind, total));
    this.#total = total;
    this.#candidates = eligible;
    this.#lottery.update(eligible);
  }

  pick(request: PickRequest<E>): Candidate<E> | undefined {
    let best: Line<E> | undefined;
    let first: Member<E> | undefined;
    for (const line of this.#lines) {
      line.behind += line.weight;
      const member = line.members[line.next]!;
      if (best !== undefined && line.behind < best.behind) continue;
      if (best !== undefined && line.behind === best.behind && member.index > first!.index) continue;
      best = line;
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
    for (const line of this.#lines) {
      for (const [place, { candidate }] of line.members.entries()) {
        behind.set(candidate, (line.behind - (place < line.next ? this.#total : 0)) * factor);
      }
    }
    return behind;
  }
}

/** Goes on where its members were: who waits longest is next, and all together are as far behind as before. */
function lineOf<E extends Endpoint>(
  weight: number,
  members: readonly Member<E>[],
  behind: ReadonlyMap<Candidate<E>, number>,
  total: number,
): Line<E> {
  const behindOf = ({ candidate }: Member<E>) => behind.get(candidate) ?? 0;
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

function grouped<E extends Endpoint>(members: readonly Member<E>[]): Map<number, Member<E>[]> {
  const lines = new Map<number, Member<E>[]>();
  for (const member of members) {
    const { weight } = member.candidate;
    const line = lines.get(weight);
    if (line === undefined) lines.set(weight, [member]);
    else line.push(member);
  }
  return lines;
}
