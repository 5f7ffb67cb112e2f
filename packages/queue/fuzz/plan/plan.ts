/** What happens in one case, as JSON holds it. Numbers of processes, consumers and messages are taken modulo how many there are. */
export interface Plan {
  readonly processes: number;
  /** What all consumers ask for. */
  readonly sharing: 'any' | 'ordered' | 'fair';
  readonly steps: readonly Step[];
}

export interface MessageSpec {
  /** The id of an earlier message, again. */
  readonly again?: number;
  readonly bytes: number;
  readonly key?: string;
  readonly delayMs?: number;
  readonly priority?: number;
  readonly expiresInMs?: number;
}

/** What becomes of a delivery. `abandon`: nobody extends it any more. */
export type Settling =
  | { readonly how: 'ack' | 'ackTwice' | 'abandon' }
  | { readonly how: 'fail'; readonly pauseMs: number }
  | { readonly how: 'giveBack'; readonly pauseMs: number }
  | { readonly how: 'dead' };

export type Step =
  | { readonly step: 'declare'; readonly process: number; readonly group: string }
  | { readonly step: 'publish'; readonly process: number; readonly messages: readonly MessageSpec[] }
  | { readonly step: 'open'; readonly process: number; readonly group: string; readonly prefetch: number }
  | { readonly step: 'shut'; readonly consumer: number }
  /** All at once. */
  | { readonly step: 'settle'; readonly each: readonly (Settling & { readonly held: number })[] }
  | { readonly step: 'wait'; readonly ms: number }
  /** Every connection ends, and may come back at once. */
  | { readonly step: 'break' }
  | {
      readonly step: 'letters';
      readonly process: number;
      readonly group: string;
      readonly op: 'inspect' | 'redrive' | 'purge';
      /** Only this one of them. */
      readonly one?: number;
    }
  | {
      readonly step: 'job';
      readonly process: number;
      readonly group: string;
      readonly op: 'find' | 'cancel';
      readonly message: number;
    }
  | { readonly step: 'pause' | 'resume'; readonly process: number; readonly group: string };
