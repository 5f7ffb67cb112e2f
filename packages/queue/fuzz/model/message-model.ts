import type { Delivery, OutgoingMessage } from '../../src/index.ts';
import type { Settling } from '../plan/plan.ts';

/** One delivery, from its receipt until it is settled or lost. */
export interface Holding {
  readonly delivery: Delivery;
  readonly message: MessageModel;
  readonly consumer: object;
  /** When its lease was last known to be whole. */
  goodAt: number;
  /** The message may have been on its way to another before, which nobody saw. */
  readonly wasUnseen: boolean;
  /** Nobody extends it. */
  isAbandoned: boolean;
  /** It may have ended for a reason that the case gave. */
  mayBeLost: boolean;
  /** Its settling is under way. */
  settling: Settling | undefined;
  /** What its handler has said of itself. */
  progress: number | undefined;
}

/**
 * What a group may do with one message. `unsure`: something whose outcome nobody knows has happened to it, so that any
 * state is right until it comes again.
 */
export type State = 'unsure' | 'open' | 'acknowledged' | 'dead' | 'gone';

/** What an unsure message must do all the same. */
export type Owed = 'nothing' | 'delivery' | 'deliveryOrDeath';

/** More than any case takes. */
const farMs = 1e8;

/** A message of one group, as far as it can be known. */
export class MessageModel {
  readonly sent: OutgoingMessage;
  /** In the order of publishing; sent again, it is the last. */
  sequence: number;
  state: State = 'unsure';
  owed: Owed = 'nothing';
  /** Times that it was handed out and counted; more are possible when `atLeast`. */
  deliveries = 0;
  atLeast = false;
  failures = 0;
  /** It does not come before. */
  earliestAt: number;
  /** Whether it may be where messages wait for their time, as far as is known. */
  isDelayed: boolean;
  /** It may be dropped after. */
  expiresAt: number;
  holding: Holding | undefined;
  goneAt = 0;
  /**
   * A settling of it may be lost with its connection, or it was handed out twice at once: it may come again whatever was said, and
   * there may be two of it.
   */
  mayBeTwo = false;
  /** A call that takes it away is under way. */
  isCanceling = false;
  /** One that had not come yet was taken away: what was on its way may still come, and is lost. */
  wasTakenUnseen = false;
  /** Whether it was published, only nobody knows. */
  isUnanswered = false;
  /** The next message when it was confirmed, in the order of publishing. */
  confirmedBefore: number = Number.POSITIVE_INFINITY;
  result: number | undefined;
  /** Of other code: it comes when they are finished. */
  children: readonly MessageModel[] = [];
  /** Its children were finished once, or it has come: it waits for them no more, whatever becomes of them. */
  isReleased = false;
  /** Of other code: nothing is kept of it once it is finished. */
  isForgotten = false;
  isRaw = false;

  constructor(sent: OutgoingMessage, sequence: number, now: number) {
    this.sent = sent;
    this.sequence = sequence;
    this.earliestAt = now + (sent.delayMs ?? 0);
    this.isDelayed = (sent.delayMs ?? 0) > 0;
    this.expiresAt = now + (sent.expiresInMs ?? Infinity);
  }

  get text(): string {
    return JSON.stringify(this.sent.id);
  }

  /** Whether the backend holds it back until others are finished. */
  get waitsForChildren(): boolean {
    return !this.isReleased && this.hasOpenChildren;
  }

  /** While one of them is handed out once more, the backend takes no acknowledgment. */
  get hasOpenChildren(): boolean {
    return this.children.some(({ state }) => state !== 'acknowledged' && state !== 'gone');
  }

  /** What a settling that was done means. */
  settled(settling: Settling, startedAt: number): void {
    this.holding = undefined;
    this.owed = 'nothing';
    switch (settling.how) {
      case 'answer':
        this.result = settling.result;
        this.state = 'acknowledged';
        return;
      case 'ack':
      case 'ackTwice':
        this.result = undefined;
        this.state = 'acknowledged';
        return;
      case 'dead':
        this.failures++;
        this.state = this.isForgotten ? 'gone' : 'dead';
        return;
      case 'fail':
        this.failures++;
        this.#comesAfter(startedAt, settling.pauseMs);
        return;
      case 'giveBack':
        this.deliveries--;
        this.#comesAfter(startedAt, settling.pauseMs);
    }
  }

  /** Sent again after it was dead, by which its counts begin anew. */
  revived(sequence: number): void {
    this.resurrected(sequence);
    this.deliveries = 0;
    this.atLeast = false;
    this.failures = 0;
    this.expiresAt = Infinity;
  }

  /** Sent again as it was. */
  resurrected(sequence: number): void {
    this.state = 'open';
    this.sequence = sequence;
    this.confirmedBefore = Number.POSITIVE_INFINITY;
    this.earliestAt = 0;
    this.isDelayed = false;
    this.result = undefined;
  }

  /** It comes in years: nobody waits for it. */
  isFar(now: number): boolean {
    return this.earliestAt - now > farMs;
  }

  doubted(owed: Owed = 'nothing'): void {
    this.state = 'unsure';
    this.owed = owed === 'deliveryOrDeath' && this.isForgotten ? 'nothing' : owed;
    this.isUnanswered = false;
    if (this.holding !== undefined) this.holding.mayBeLost = true;
    this.holding = undefined;
    this.atLeast = true;
  }

  #comesAfter(startedAt: number, pauseMs: number): void {
    this.earliestAt = startedAt + pauseMs;
    this.isDelayed = pauseMs > 0;
  }
}
