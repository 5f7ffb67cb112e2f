import { type Channel, type Clock, channel } from '@ashlar/core';

/** A source of endpoints does not answer, or its answer is unusable. The last good set stays in use. */
export interface DiscoveryTroubleMessage {
  /** As `dns shop.internal` or `registry shop`. */
  readonly source: string;
  readonly error: unknown;
  /** Milliseconds until the next attempt; absent when none follows from this error. */
  readonly retryInMs?: number;
}

const troubles: Channel<DiscoveryTroubleMessage> = channel('ashlar:lb:discovery-trouble');

/** Publishes an error that has no other consequence. */
export function publishTrouble(source: string, error: unknown, retryInMs?: number): void {
  if (!troubles.hasSubscribers) return;
  troubles.publish(retryInMs === undefined ? { source, error } : { source, error, retryInMs });
}

/** Publishes an error and pauses before the next attempt. */
export async function waitToRetry(
  source: string,
  error: unknown,
  retryInMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  publishTrouble(source, error, retryInMs);
  await clock.sleep(retryInMs, signal);
}
