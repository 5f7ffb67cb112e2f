import type { HandlerContext, Running } from '../consuming/context.ts';

/** What became of a message whose handler runs at most once with success. */
export type OnceResult =
  /** Its handler has ended, now or before: it can be acknowledged. */
  | { readonly kind: 'done'; readonly result: unknown }
  /** It is being handled elsewhere: try again after so many milliseconds. */
  | { readonly kind: 'busy'; readonly retryMs: number };

/** Keeps a message from being handled again once it was handled. */
export interface Once {
  /**
   * Calls the handler unless the message was handled before. Rejects with the error of the handler, or with the reason
   * when the message is aborted, after the message is free to be handled again; with OnceUnavailableError when it could
   * not find out.
   */
  run(running: Running, payload: unknown, call: () => Promise<unknown>): Promise<OnceResult>;
}

/** Which record a message has. */
export type KeyOf = (payload: never, context: HandlerContext) => string;
