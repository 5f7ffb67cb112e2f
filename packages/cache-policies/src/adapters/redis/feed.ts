import type { TierListener } from '../../tiers/remote-tier.ts';

interface Change {
  readonly epoch: string;
  readonly sequence: number;
  readonly session: string;
  readonly kind: string;
  readonly names: readonly string[];
}

/** Where the history stands. */
export interface Position {
  readonly epoch: string;
  readonly sequence: number;
}

/**
 * What one session has heard of the numbered changes, and until when that was all there was. It stands where the server
 * says that it stands after each loss of a connection, and tells a reset for what lay in between.
 */
export class Feed {
  confirmedUntil: number = Number.NEGATIVE_INFINITY;
  readonly #session: string;
  readonly #boundMs: number;
  readonly #listener: TierListener;
  #heard: Position | undefined;
  /** Counts what makes a check that is under way void. */
  #breaks = 0;
  #connected: boolean | undefined;

  constructor(session: string, boundMs: number, listener: TierListener) {
    this.#session = session;
    this.#boundMs = boundMs;
    this.#listener = listener;
  }

  get sequence(): number {
    return this.#heard?.sequence ?? 0;
  }

  get connected(): boolean {
    return this.#connected === true;
  }

  /** A connection was lost: nothing is heard for sure from now on. */
  lost(error: Error): void {
    this.#breaks++;
    this.#heard = undefined;
    if (this.#connected === false) return;
    this.#connected = false;
    this.#listener.connection('disconnected', error);
  }

  take(message: string): void {
    const change = parsed(message);
    // before the first check the reset is yet to come; what no session wrote is nobody's change
    if (this.#heard === undefined || change === undefined) return;
    const { epoch, sequence, session, kind, names } = change;
    if (epoch !== this.#heard.epoch) {
      this.#breaks++;
      this.#listener.reset('emptied');
    } else if (sequence <= this.#heard.sequence) return;
    else if (sequence > this.#heard.sequence + 1) this.#listener.reset('missed');
    this.#heard = { epoch, sequence };
    if (session === this.#session) return;
    if (kind === 'clear') this.#listener.reset('cleared');
    else if (kind === 'tags') this.#listener.invalidated({ keys: [], tags: names });
    else this.#listener.invalidated({ keys: names, tags: [] });
  }

  /**
   * Asks over the connection of the operations where the history stands, then waits until the one that hears has
   * caught up: what was changed before `ask` was sent is told by then, or was missed.
   */
  async check(now: () => number, ask: () => Promise<Position>, caughtUp: () => Promise<void>): Promise<void> {
    const breaks = this.#breaks;
    const sentAt = now();
    const position = await ask();
    if (breaks !== this.#breaks) return;
    const isNew = this.#heard === undefined;
    if (isNew) this.#heard = position;
    await caughtUp();
    if (breaks !== this.#breaks) return;
    const heard = this.#heard!;
    if (isNew) this.#listener.reset('reconnected');
    else if (heard.epoch !== position.epoch) this.#restand(position, 'emptied');
    else if (heard.sequence < position.sequence) this.#restand(position, 'missed');
    this.confirmedUntil = sentAt + this.#boundMs;
    if (this.#connected === true) return;
    this.#connected = true;
    this.#listener.connection('connected');
  }

  #restand(position: Position, reason: 'emptied' | 'missed'): void {
    this.#heard = position;
    this.#listener.reset(reason);
  }
}

function parsed(message: string): Change | undefined {
  try {
    const [epoch, sequence, session, kind, names] = JSON.parse(message);
    return Array.isArray(names) ? { epoch, sequence, session, kind, names } : undefined;
  } catch {
    return undefined;
  }
}
