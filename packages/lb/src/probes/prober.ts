import { type Clock, describe, type Random } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Candidate, Load, Probing } from '../policy.ts';
import { withTimeout } from '../requests/call.ts';
import { Timers } from '../util/timers.ts';

/** Makes the probes that a policy asks for. */
export class Prober<E extends Endpoint> {
  readonly #balancer: string;
  readonly #probing: Probing<E>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #timers: Timers;
  readonly #inProgress = new Set<Candidate<E>>();
  readonly #stop = new AbortController();

  /** @param clock whose sleepers should not keep the process alive */
  constructor(balancer: string, probing: Probing<E>, clock: Clock, random: Random) {
    this.#balancer = balancer;
    this.#probing = probing;
    this.#clock = clock;
    this.#random = random;
    this.#timers = new Timers(clock);
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
    // Not within the pick: a probe that calls the balancer must not meet it in the middle of one
    await Promise.resolve();
    const { probe, timeoutMs } = this.#probing;
    const { endpoint } = candidate;
    const options = { timeoutMs, signal: this.#stop.signal };
    try {
      const load = await withTimeout(this.#timers, options, 'the probe', signal =>
        probe({ endpoint, signal }),
      );
      this.#probing.probed(candidate, checkedLoad(load), this.#clock.now());
    } catch (error) {
      if (this.#stop.signal.aborted || !channels.probeFailed.hasSubscribers) return;
      channels.probeFailed.publish({ balancer: this.#balancer, endpoint: endpoint.id, error });
    } finally {
      this.#inProgress.delete(candidate);
    }
  }
}

/** @throws TypeError */
function checkedLoad(load: Load | null | undefined): Load {
  const { inFlight, latencyMs } = load ?? ({} as Partial<Load>);
  for (const [name, value] of Object.entries({ inFlight, latencyMs })) {
    if (Number.isFinite(value) && value! >= 0) continue;
    throw new TypeError(`a probe must give \`${name}\` as a number of at least 0, got ${describe(value)}`);
  }
  return load!;
}

/** A reason that reaches no caller. */
const closed = 'closed';
