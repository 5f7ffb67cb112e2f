import { channels } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Member } from './member.ts';

/**
 * Who takes requests: the endpoints that are neither ejected nor unhealthy, and those that are probed; but when fewer
 * than `panicPercent` of all are usable, all do (Envoy's panic threshold): then it is likelier that the judgment is
 * wrong than that so many are out, and the few that are left would break under the load of all.
 *
 * Endpoints of weight 0 or being drained are not counted, nor are those that have not had their first check, unless
 * there are no others.
 */
export class Availability<E extends Endpoint> {
  readonly #balancer: string;
  readonly #panicPercent: number;
  #panicking = false;

  constructor(balancer: string, panicPercent: number) {
    this.#balancer = balancer;
    this.#panicPercent = panicPercent;
  }

  get panicking(): boolean {
    return this.#panicking;
  }

  /** A new array of those that are meant to take requests, whether or not they do for now. */
  wanted(members: Iterable<Member<E>>): Member<E>[] {
    return [...members].filter(member => member.wanted);
  }

  /** A new array of those that take requests from now on. */
  eligible(members: Iterable<Member<E>>): Member<E>[] {
    const wanted = this.wanted(members);
    const counted = wanted.filter(({ health }) => health !== 'unchecked').length;
    const usable = wanted.filter(member => member.isUsable).length;
    const share = counted === 0 ? 0 : (usable / counted) * 100;
    this.#panic(wanted.length > 0 && share < this.#panicPercent, usable, counted);
    if (this.#panicking) return wanted;
    return wanted.filter(({ health, standing }) => health === 'healthy' && standing !== 'ejected');
  }

  #panic(panicking: boolean, usable: number, total: number): void {
    if (panicking === this.#panicking) return;
    this.#panicking = panicking;
    if (!channels.panic.hasSubscribers) return;
    channels.panic.publish({ balancer: this.#balancer, panicking, usable, total });
  }
}
