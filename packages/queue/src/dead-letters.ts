/** A message that is not delivered any more, with all that is known of why. */
export interface DeadLetter {
  readonly id: string;
  readonly topic: string;
  readonly group: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly key?: string | undefined;
  readonly reason: string;
  readonly deliveries: number;
  readonly failures: number;
  /** Milliseconds since the epoch, by the backend's clock. */
  readonly diedAtMs: number;
}

export interface DeadLetterPage {
  /** At most so many. */
  readonly limit: number;
  /** Only those that died after this one. */
  readonly after?: string | undefined;
}

export interface DeadLetterSelection {
  /** Only these. Default: all. */
  readonly ids?: readonly string[] | undefined;
  /** At most so many, oldest first. Default: all. */
  readonly limit?: number | undefined;
}
