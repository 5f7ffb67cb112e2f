import type { TierListener } from './remote-tier.ts';

interface Change {
  readonly epoch: string;
  readonly sequence: number;
  readonly session: string;
  readonly kind: string;
  readonly names: readonly string[];
}

/** A place in the history of changes. */
export interface Position {
  readonly epoch: string;
  readonly sequence: number;
}

/** The steps of a check. */
export interface FeedCheck {
  now(): number;
  /** On a new connection: makes the server send every change from now on. */
  begin(): Promise<void>;
  /** Reads the server's position, over the connection of the operations. */
  ask(): Promise<Position>;
  /** Resolves when everything that the server had sent to the subscribed connection has been received. */
  caughtUp(): Promise<void>;
}

/**
 * The changes that one session has received, and until when local values are confirmed.
 *
 * Every change takes the next number in the step that makes it. If the server's position was n when it was read at time t,
 * and all changes up to n have been received, then every change from before t has been received, and local values may be
 * served until t + bound. Every failure on the way (a lost message, another history, a silent connection) shows as a missing
 * number, and causes a reset. So does a number beyond the server's, which no cache published. After the loss of either
 * connection the session takes the server's position, and resets for what lay in between: in the check that confirms the
 * new connections to the end, however many fail before.
 */
export class ChangeFeed {
  confirmedUntil: number = Number.NEGATIVE_INFINITY;
  readonly #session: string;
  readonly #boundMs: number;
  readonly #listener: TierListener;
  #position: Position | undefined;
  /** Changes may have been missed, and there was no reset for them yet. */
  #isBehind = true;
  /** Counts events that void a check that is under way. */
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

  /** A connection was lost: changes may be missed from now on. */
  disconnected(error: Error): void {
    this.#breaks++;
    this.#position = undefined;
    this.#isBehind = true;
    if (this.#connected === false) return;
    this.#connected = false;
    this.#listener.connection('disconnected', error);
  }

  /** Takes one message. Returns the keys whose values it touched. */
  receive(message: string): readonly string[] {
    const change = parsed(message);
    // not written by a session
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

  /** The server or another program changed these keys; such a change has no number. */
  keysChanged(keys: readonly string[]): void {
    if (this.#position !== undefined && keys.length > 0) this.#listener.invalidated({ keys, tags: [] });
  }

  /** The server has dropped everything. */
  emptied(): void {
    if (this.#position !== undefined) this.#listener.reset('emptied');
  }

  /** Confirms that every change from before it began has been received, or resets. */
  async check({ now, begin, ask, caughtUp }: FeedCheck): Promise<void> {
    const breaks = this.#breaks;
    const sentAt = now();
    const before = this.#position;
    const isBehind = this.#isBehind;
    if (isBehind) await begin();
    const position = await ask();
    if (breaks !== this.#breaks) return;
    if (isBehind) this.#position = position;
    await caughtUp();
    if (breaks !== this.#breaks) return;
    const known = this.#position!;
    if (isBehind) {
      this.#isBehind = false;
      this.#listener.reset('reconnected');
    } else if (known.epoch !== position.epoch) this.#resetTo(position, 'emptied');
    // what was received before the server was asked cannot be ahead of it, unless no cache published it
    else if (known.sequence < position.sequence || before!.sequence > position.sequence)
      this.#resetTo(position, 'missed');
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

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function parsed(message: string): Change | undefined {
  try {
    const [epoch, sequence, session, kind, names] = JSON.parse(message);
    const isChange = [epoch, session, kind].every(isText) && Number.isSafeInteger(sequence);
    const hasNames = Array.isArray(names) && names.every(isText);
    return isChange && hasNames ? { epoch, sequence, session, kind, names } : undefined;
  } catch {
    return undefined;
  }
}
