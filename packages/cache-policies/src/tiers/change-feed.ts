import type { TierListener } from './remote-tier.ts';

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

/** What a check does. */
export interface FeedCheck {
  now(): number;
  /** When nothing is known yet of a connection: makes the server tell it of every change from now on. */
  begin(): Promise<void>;
  /** Asks, over the connection of the operations, where the history stands. */
  ask(): Promise<Position>;
  /** Resolves when all that the server had sent to the connection that hears has been taken. */
  caughtUp(): Promise<void>;
}

/**
 * What one session has heard of the numbered changes, and until when that was all there was.
 *
 * Every change takes the next number in the step that makes it. So if the server's last number was n when asked at t, and
 * all up to n were heard, everything was that had been changed before t: what is held here is old by no change from before
 * t, and may be served until t + bound. Whatever went wrong on the way (a lost message, another history, a connection that
 * hears nothing) shows as a number that is missing, and is answered by a reset. After the loss of either connection a
 * session stands where the server says that it stands, and tells a reset for what lay in between.
 */
export class ChangeFeed {
  confirmedUntil: number = Number.NEGATIVE_INFINITY;
  readonly #session: string;
  readonly #boundMs: number;
  readonly #listener: TierListener;
  #position: Position | undefined;
  /** Counts what makes a check that is under way void. */
  #breaks = 0;
  #connected: boolean | undefined;

  constructor(session: string, boundMs: number, listener: TierListener) {
    this.#session = session;
    this.#boundMs = boundMs;
    this.#listener = listener;
  }

  get sequence(): number {
    return this.#position?.sequence ?? 0;
  }

  get connected(): boolean {
    return this.#connected === true;
  }

  /** A connection was lost: nothing is heard for sure from now on. */
  disconnected(error: Error): void {
    this.#breaks++;
    this.#position = undefined;
    if (this.#connected === false) return;
    this.#connected = false;
    this.#listener.connection('disconnected', error);
  }

  /** Returns the keys whose values were touched by it. */
  receive(message: string): readonly string[] {
    const change = parsed(message);
    // what no session wrote is nobody's change
    if (change === undefined) return [];
    const { epoch, sequence, session, kind, names } = change;
    if (kind === 'quiet') return names;
    const touched = kind === 'keys' ? names : [];
    // before the first check the reset is yet to come
    if (this.#position === undefined) return touched;
    if (epoch !== this.#position.epoch) {
      this.#breaks++;
      this.#listener.reset('emptied');
    } else if (sequence <= this.#position.sequence) return touched;
    else if (sequence > this.#position.sequence + 1) this.#listener.reset('missed');
    this.#position = { epoch, sequence };
    if (session === this.#session) return touched;
    if (kind === 'clear') this.#listener.reset('cleared');
    else if (kind === 'tags') this.#listener.invalidated({ keys: [], tags: names });
    else this.#listener.invalidated({ keys: names, tags: [] });
    return touched;
  }

  /** The server, or another program, changed what is kept under these keys; it has no number. */
  keysChanged(keys: readonly string[]): void {
    if (this.#position !== undefined && keys.length > 0) this.#listener.invalidated({ keys, tags: [] });
  }

  /** The server says that it forgot everything. */
  emptied(): void {
    if (this.#position !== undefined) this.#listener.reset('emptied');
  }

  /** Confirms that everything was told that had been changed before it began, or says what is to be done about it. */
  async check({ now, begin, ask, caughtUp }: FeedCheck): Promise<void> {
    const breaks = this.#breaks;
    const sentAt = now();
    const isNew = this.#position === undefined;
    if (isNew) await begin();
    const position = await ask();
    if (breaks !== this.#breaks) return;
    if (isNew) this.#position = position;
    await caughtUp();
    if (breaks !== this.#breaks) return;
    const known = this.#position!;
    if (isNew) this.#listener.reset('reconnected');
    else if (known.epoch !== position.epoch) this.#resetTo(position, 'emptied');
    else if (known.sequence < position.sequence) this.#resetTo(position, 'missed');
    this.confirmedUntil = sentAt + this.#boundMs;
    if (this.#connected === true) return;
    this.#connected = true;
    this.#listener.connection('connected');
  }

  #resetTo(position: Position, reason: 'emptied' | 'missed'): void {
    this.#position = position;
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
