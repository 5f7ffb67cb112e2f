/** What the process of the proxy holds, after garbage collection. */
export interface Sample {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly sockets: number;
  readonly timers: number;
  readonly inFlight: number;
  readonly retries: number;
}
