import { type Clock, systemClock } from '@ashlar/core';
import type { Load } from '../policy.ts';

interface Sample {
  /** Requests in flight when it came, itself included. */
  readonly inFlight: number;
  readonly latencyMs: number;
}

/** Answers that are remembered, and of these as many as an estimate goes by. */
const remembered = 128;
const compared = 16;

/**
 * What an endpoint answers to probes, kept by the endpoint itself: how many requests it has, and how long such took that
 * came when there were about as many (the median of the 16 nearest of the latest 128, as Prequal estimates it).
 */
export class LoadGauge {
  readonly #now: () => number;
  readonly #samples: Sample[] = [];
  #next = 0;
  #inFlight = 0;

  constructor(clock: Pick<Clock, 'now'> = systemClock) {
    this.#now = () => clock.now();
  }

  /** A request came. Call what is returned when it has been answered; later calls do nothing. */
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

  /** The load now; a latency of 0 until the first answer. */
  read(): Load {
    const inFlight = this.#inFlight;
    const distance = (sample: Sample) => Math.abs(sample.inFlight - inFlight - 1);
    const nearest = [...this.#samples].sort((a, b) => distance(a) - distance(b)).slice(0, compared);
    const latencies = nearest.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
    return { inFlight, latencyMs: latencies[latencies.length >> 1] ?? 0 };
  }
}
