import { type Channel, type Clock, channel, type Random } from '@ashlar/core';

/** A source of endpoints does not answer, or with what cannot be used; the last good set stays in use. */
export interface DiscoveryTroubleMessage {
  /** As `dns shop.internal` or `registry shop`. */
  readonly source: string;
  readonly error: unknown;
  /** When it is asked again. */
  readonly retryInMs?: number;
}

const troubles: Channel<DiscoveryTroubleMessage> = channel('ashlar:lb:discovery-trouble');

/** Publishes trouble that has no other consequence. */
export function publishTrouble(source: string, error: unknown, retryInMs?: number): void {
  if (!troubles.hasSubscribers) return;
  troubles.publish(retryInMs === undefined ? { source, error } : { source, error, retryInMs });
}

/** Ever longer pauses, up to a limit, each a random half shorter or longer; a success begins anew. */
export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #random: Random;
  #failures = 0;

  constructor(firstMs: number, maxMs: number, random: Random) {
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
    this.#random = random;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /** How long to wait after one more failure. */
  nextMs(): number {
    const ms = Math.min(this.#maxMs, this.#firstMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 30);
    return ms * (0.5 + this.#random());
  }
}

/** Publishes an error and waits until the next attempt. */
export async function waitToRetry(
  source: string,
  error: unknown,
  backoff: Backoff,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const retryInMs = backoff.nextMs();
  publishTrouble(source, error, retryInMs);
  await clock.sleep(retryInMs, signal);
}
