import { AshlarError } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';

export interface CheckContext<E extends Endpoint> {
  readonly endpoint: E;
  /** Aborts when the check takes too long, has ended or is no longer wanted; frees what it left open. */
  readonly signal: AbortSignal;
}

/**
 * Checks whether an endpoint does its work. It is healthy if the check returns `true` or nothing; `false`, any other value,
 * an error, thrown synchronously or later, and a timeout all mean unhealthy.
 */
export type HealthCheck<E extends Endpoint = Endpoint> = (
  context: CheckContext<E>,
  // biome-ignore lint/suspicious/noConfusingVoidType: the result of an async function without a `return`
) => Promise<boolean | void>;

/** Why a check failed. */
export class HealthCheckError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LB_HEALTH_CHECK';
  static override readonly retryable: boolean = true;
}
