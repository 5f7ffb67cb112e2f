import { AshlarError } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';

export interface CheckContext<E extends Endpoint> {
  readonly endpoint: E;
  /** Aborts when the check takes too long, has ended, or is not wanted any more; frees what it left open. */
  readonly signal: AbortSignal;
}

/**
 * Finds out whether an endpoint does its work. Healthy is who gives `true` or nothing; `false`, any other value, an error,
 * thrown at once or later, and too long a time all say that it is not.
 */
export type HealthCheck<E extends Endpoint = Endpoint> = (
  context: CheckContext<E>,
  // biome-ignore lint/suspicious/noConfusingVoidType: what an async function without a `return` gives
) => Promise<boolean | void>;

/** Why a check failed. */
export class HealthCheckError extends AshlarError {
  static override readonly code: string = 'ASHLAR_HEALTH_CHECK';
}
