import type { SubscriptionSnapshot } from './consuming/subscription.ts';

export interface SubscriptionHealth {
  readonly topic: string;
  readonly group: string;
  readonly ok: boolean;
  /** Why not. */
  readonly reason: string | undefined;
}

export interface QueueHealth {
  /** Whether every subscription makes progress, or would if there were messages. */
  readonly ok: boolean;
  readonly subscriptions: readonly SubscriptionHealth[];
}

export interface QueueSnapshot {
  readonly name: string;
  readonly driver: string;
  readonly state: 'open' | 'closed';
  readonly subscriptions: readonly SubscriptionSnapshot[];
}

/** Milliseconds without an answer of the backend after which a subscription is no longer healthy. */
const maxSilenceMs = 15_000;

export function healthOf({ topic, group, state, silentMs, error }: SubscriptionSnapshot): SubscriptionHealth {
  const isSilent = silentMs !== undefined && silentMs > maxSilenceMs;
  const silence = isSilent ? `the backend has not answered for ${Math.round(silentMs)} ms` : undefined;
  const reason = state === 'failing' ? error : silence;
  return { topic, group, ok: reason === undefined, reason };
}
