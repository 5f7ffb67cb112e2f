import type { Capabilities, ConsumeOptions, Published } from '../driver.ts';

/** Raised when either side would no longer understand the other. */
export const protocolVersion = 1;

/** The methods of a driver that are called from afar, by their names there. */
export const operations = [
  'declare',
  'publish',
  'inspect',
  'redrive',
  'purge',
  'stats',
  'probe',
  'pause',
  'resume',
  'find',
  'cancel',
] as const;
export type Operation = (typeof operations)[number];

/** How a delivery is settled, by the names of its methods. */
export const settlements = ['ack', 'nack', 'extend', 'progress'] as const;
export type Settlement = (typeof settlements)[number];

export type WireOptions = Pick<ConsumeOptions, 'prefetch' | 'ordered' | 'fair' | 'limits'>;

/** An error loses its class on the way, so that it is sent by its fields. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  /** The arguments that make it again, by its class. */
  readonly facts?: readonly unknown[];
  readonly outcome?: 'NotExecuted' | 'Unknown';
}

/**
 * From the one that uses the driver. Every message is JSON-safe but for `parts`, the bytes that belong to it: bodies in the
 * order of their messages, results, progress.
 */
export type ClientMessage = (
  | { readonly type: 'hello'; readonly version: number; readonly durable: boolean }
  | {
      readonly type: 'call';
      readonly id: number;
      readonly operation: Operation;
      readonly args: readonly unknown[];
    }
  | {
      readonly type: 'settle';
      readonly id: number;
      readonly how: Settlement;
      readonly token: string;
      readonly of: readonly [topic: string, group: string, id: string];
      readonly options: unknown;
      /** It was sent before, and perhaps done. */
      readonly again: boolean;
    }
  | {
      readonly type: 'consume';
      readonly id: number;
      readonly topic: string;
      readonly group: string;
      readonly options: WireOptions;
      /** Deliveries that the consumer has from before the connection was lost. */
      readonly holds: readonly string[];
    }
  | { readonly type: 'leave'; readonly id: number }
) &
  Parts;

/** A settlement before it has the number of its call. */
export type SettleMessage = Omit<ClientMessage & { readonly type: 'settle' }, 'id'>;

/** From the one that has the driver. */
export type ServerMessage = (
  | {
      readonly type: 'hello';
      readonly version: number;
      readonly kind: string;
      readonly capabilities: Capabilities;
      readonly leaseMs: number | undefined;
    }
  | { readonly type: 'refused'; readonly error: WireError }
  | { readonly type: 'reply'; readonly id: number; readonly result?: unknown; readonly error?: WireError }
  | {
      readonly type: 'delivery';
      readonly id: number;
      readonly token: string;
      readonly message: WireDelivery;
    }
  /** The consumer has ended; no delivery follows. */
  | { readonly type: 'left'; readonly id: number; readonly error?: WireError }
) &
  Parts;

interface Parts {
  readonly parts?: readonly Uint8Array[];
}

/** `Published`, with its error written. */
export type WirePublished =
  | (Published & { readonly ok: true })
  | { readonly ok: false; readonly outcome: 'NotExecuted' | 'Unknown'; readonly error: WireError };

/** Without its body. */
export interface WireDelivery {
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly deliveries: number;
  readonly failures?: number | undefined;
  readonly key?: string | undefined;
}

/** One way to the other side: what is sent arrives once and in order, or the channel ends. */
export interface Channel<Out> {
  send(message: Out): void;
  close(): void;
}

/** Without the rest of the memory that the bytes are a part of, which a port would copy too. */
export function compact(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
