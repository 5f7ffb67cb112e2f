/** How the requests to one endpoint went within an interval. */
export interface Tally<T> {
  readonly of: T;
  readonly succeeded: number;
  readonly failed: number;
}

/** One that should be ejected, and why. */
export interface Outlier<T> {
  readonly of: T;
  readonly reason: string;
}

export function total({ succeeded, failed }: Tally<unknown>): number {
  return succeeded + failed;
}

/** In percent. */
export function failureRate({ succeeded, failed }: Tally<unknown>): number {
  return (failed * 100) / (succeeded + failed);
}
