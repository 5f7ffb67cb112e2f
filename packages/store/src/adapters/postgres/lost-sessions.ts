import { sleep } from '@ashlar/core';
import { StoreTimeoutError } from '../../errors.ts';
import { type Call, isForbidden } from './call.ts';
import type { PoolClientLike } from './pool-like.ts';
import type { SessionRow } from './statements.ts';

/** The time between two looks whether the sessions have ended. */
const pauseMs = 10;

/** A statement on its way, and what identifies its session. */
export interface Sending {
  readonly call: Call;
  readonly processId: number | undefined;
  /** When the session existed already, on the clock of this process. */
  readonly at: number;
  /** As `LostSessions.server`. */
  readonly server: string | undefined;
  isLost: boolean;
}

/** Process ids, how many milliseconds ago each session existed, and their servers. */
export type SessionsToEnd = [readonly number[], readonly number[], readonly (string | null)[]];

type Ask = (sessions: SessionsToEnd) => Promise<readonly SessionRow[]>;

/**
 * The sessions whose last statement may have been executed, is, or will be once it arrives. They are ended before another
 * statement is sent, so that what was lost on its way never comes after what was acknowledged.
 */
export class LostSessions {
  /** When the server started, which identifies it: process ids of another one mean nothing. */
  server: string | undefined;
  readonly #sendings = new Set<Sending>();
  readonly #timeoutMs: number;
  #ending: Promise<void> | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Call it when the connection is borrowed. */
  begin(call: Call, { processID }: PoolClientLike): Sending {
    const at = performance.now();
    const sending = { call, processId: processID ?? undefined, at, server: this.server, isLost: false };
    this.#sendings.add(sending);
    return sending;
  }

  /** Call it before the caller hears how it went. */
  end(sending: Sending, isSound: boolean): void {
    sending.isLost = true;
    if (isSound || sending.call.outcome !== 'Unknown') this.#sendings.delete(sending);
  }

  get some(): boolean {
    for (const sending of this.#sendings) if (isLost(sending)) return true;
    return false;
  }

  /**
   * Resolves when all lost sessions have ended, or cannot be ended: then `warn` is called.
   *
   * @param ask tells the server to end them; resolves with those that are still there
   */
  async endAll(ask: Ask, warn: (reason: string) => void): Promise<void> {
    while (this.some) {
      this.#ending ??= this.#end(ask, warn).finally(() => {
        this.#ending = undefined;
      });
      await this.#ending;
    }
  }

  async #end(ask: Ask, warn: (reason: string) => void): Promise<void> {
    const lost = [...this.#sendings].filter(isLost);
    const known = lost.filter(({ processId }) => processId !== undefined);
    if (known.length < lost.length) warn('their process ids are not known');
    try {
      if (known.length > 0) await this.#endKnown(known, ask, warn);
    } catch (error) {
      const { cause, message } = error as Error;
      if (!isForbidden(cause)) throw error;
      warn(message);
    }
    for (const sending of lost) this.#sendings.delete(sending);
  }

  async #endKnown(known: readonly Sending[], ask: Ask, warn: (reason: string) => void): Promise<void> {
    const startedAt = performance.now();
    for (;;) {
      const now = performance.now();
      const left = await ask([
        known.map(({ processId }) => processId!),
        known.map(({ at }) => now - at),
        known.map(({ server }) => server ?? null),
      ]);
      if (left.some(({ hidden }) => hidden === 'true')) return warn('the user may not see them');
      if (left.length === 0) return;
      if (now - startedAt > this.#timeoutMs) {
        throw new StoreTimeoutError('the end of a lost session', this.#timeoutMs, 'NotExecuted');
      }
      await sleep(pauseMs);
    }
  }
}

/** Its caller may have heard of the deadline before the borrower gives the connection back. */
function isLost({ call, isLost }: Sending): boolean {
  return call.outcome === 'Unknown' && (isLost || call.isOver);
}
