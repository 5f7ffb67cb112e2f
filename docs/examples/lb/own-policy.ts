// #region program
import type { Candidate, Endpoint, PickRequest, Policy } from '@ashlar/lb';
import { LoadBalancer } from '@ashlar/lb';

/** Takes the endpoint with the fewest requests under way, for its weight. */
class Fewest<E extends Endpoint> implements Policy<E> {
  #all: readonly Candidate<E>[] = [];

  update(eligible: readonly Candidate<E>[]): void {
    this.#all = eligible;
  }

  pick({ skip }: PickRequest<E>): Candidate<E> | undefined {
    const free = this.#all.filter(candidate => !skip(candidate));
    return free.sort((a, b) => a.inFlight / a.weight - b.inFlight / b.weight)[0];
  }
}

const endpoints = [{ id: 'small' }, { id: 'large', weight: 3 }];
const lb = new LoadBalancer({ endpoints, policy: () => new Fewest() });

const picked = Array.from({ length: 4 }, () => lb.pick());
console.log(picked.filter(({ endpoint }) => endpoint.id === 'large').length); // 3
for (const one of picked) one.done({ ok: true });
// #endregion program
await lb.close();
