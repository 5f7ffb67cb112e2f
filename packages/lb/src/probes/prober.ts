import { type Clock, number, type Random, required } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Candidate, Load, Probing } from '../policy.ts';
import { withTimeout } from '../util/timeout.ts';

/** Makes the probes that a policy requests. */
export class Prober<E extends Endpoint> {
  readonly #balancer: string;
  readonly #probing: Probing<E>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #inProgress = new Set<Candidate<E>>();
  readonly #stop = new AbortController();

  /** @param clock whose sleepers should not keep the process alive */
  constructor(balancer: string, probing: Probing<E>, clock: Clock, random: Random) {
    this.#balancer = balancer;
    this.#probing = probing;
    this.#clock = clock;
    this.#random = random;
  }

  /** An endpoint was picked. */
  picked(): void {
    if (this.#stop.signal.aborted) return;
    const probing = this.#probing;
    for (let next = probing.next(this.#random); next !== undefined; next = probing.next(this.#random)) {
      if (!this.#inProgress.has(next)) void this.#probe(next);
    }
  }

  close(): void {
    this.#stop.abort(closed);
  }

  /** Never rejects. */
  async #probe(candidate: Candidate<E>): Promise<void> {
    this.#inProgress.add(candidate);
    // Not within the pick: a probe may call the balancer
    await Promise.resolve();
    const { probe, timeoutMs } = this.#probing;
    const { endpoint } = candidate;
    const options = { clock: this.#clock, timeoutMs, signal: this.#stop.signal, what: 'the probe' };
    try {
      const load = await withTimeout(options, signal => probe({ endpoint, signal }));
      this.#probing.probed(candidate, checkedLoad(load), this.#clock.now());
    } catch (error) {
      if (this.#stop.signal.aborted || !channels.probeFailed.hasSubscribers) return;
      channels.probeFailed.publish({ balancer: this.#balancer, endpoint: endpoint.id, error });
    } finally {
      this.#inProgress.delete(candidate);
    }
  }
}

/** @throws InvalidOptionError that names the part of the answer */
function checkedLoad(load: Load | null | undefined): Load {
  const { inFlight, latencyMs } = load ?? ({} as Partial<Load>);
  return { inFlight: loadRule(inFlight, 'inFlight'), latencyMs: loadRule(latencyMs, 'latencyMs') };
}

const loadRule = /* @__PURE__ */ required(
  /* @__PURE__ */ number(undefined, { min: 0 }),
  'the answer to a probe',
);

/** A reason that reaches no caller. */
const closed = 'closed';
