import { type Clock, objectWith, systemClock } from '@ashlar/core';
import type { Load } from '../policy.ts';

interface Sample {
  /** Requests in flight when it came, itself included. */
  readonly inFlight: number;
  readonly latencyMs: number;
}

/** How many answers are kept. */
const remembered = 128;
/** How many of them an estimate uses. */
const compared = 16;

const clockRule = /* @__PURE__ */ objectWith<Clock>(['now']);

/**
 * What an endpoint answers to probes, measured by the endpoint itself: its requests in flight, and the latency of requests
 * that came when about as many were in flight (the median of the 16 nearest of the latest 128, as Prequal estimates it).
 */
export class LoadGauge {
  readonly #now: () => number;
  readonly #samples: Sample[] = [];
  #next = 0;
  #inFlight = 0;

  /** @throws InvalidOptionError */
  constructor(clock: Pick<Clock, 'now'> = systemClock) {
    clockRule(clock, 'clock');
    this.#now = () => clock.now();
  }

  /** Counts a request. Call the returned function when it has been answered; later calls do nothing. */
  begin(): () => void {
    const inFlight = ++this.#inFlight;
    const startedAt = this.#now();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#inFlight--;
      this.#samples[this.#next] = { inFlight, latencyMs: this.#now() - startedAt };
      this.#next = (this.#next + 1) % remembered;
    };
  }

  /** The current load; its latency is 0 until the first answer. */
  read(): Load {
    const inFlight = this.#inFlight;
    const distance = (sample: Sample) => Math.abs(sample.inFlight - inFlight - 1);
    const nearest = [...this.#samples].sort((a, b) => distance(a) - distance(b)).slice(0, compared);
    const latencies = nearest.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
    return { inFlight, latencyMs: latencies[latencies.length >> 1] ?? 0 };
  }
}
