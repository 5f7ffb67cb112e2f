import type { Delivery, OutgoingMessage } from '../../src/index.ts';
import type { Settling } from '../plan/plan.ts';

/** One delivery, from its receipt until it is settled or lost. */
export interface Holding {
  readonly delivery: Delivery;
  readonly message: MessageModel;
  readonly consumer: object;
  /** When its lease was last known to be whole. */
  goodAt: number;
  /** Nobody extends it. */
  isAbandoned: boolean;
  /** It may have ended for a reason that the case gave. */
  mayBeLost: boolean;
  /** Its settling is under way. */
  settling: Settling | undefined;
}

/**
 * What a group may do with one message. `unsure`: something whose outcome nobody knows has happened to it, so that any
 * state is right until it comes again.
 */
export type State = 'unsure' | 'open' | 'acknowledged' | 'dead' | 'gone';

/** A message of one group, as far as it can be known. */
export class MessageModel {
  readonly sent: OutgoingMessage;
  /** In the order of publishing; sent again, it is the last. */
  sequence: number;
  state: State = 'unsure';
  /** Times that it was handed out and counted; more are possible when `atLeast`. */
  deliveries = 0;
  atLeast = false;
  failures = 0;
  /** It does not come before. */
  earliestAt: number;
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

  constructor(sent: OutgoingMessage, sequence: number, now: number) {
    this.sent = sent;
    this.sequence = sequence;
    this.earliestAt = now + (sent.delayMs ?? 0);
    this.expiresAt = now + (sent.expiresInMs ?? Infinity);
  }

  get text(): string {
    return JSON.stringify(this.sent.id);
  }

  /** What a settling that was done means. */
  settled(settling: Settling, startedAt: number): void {
    this.holding = undefined;
    switch (settling.how) {
      case 'ack':
      case 'ackTwice':
        this.state = 'acknowledged';
        return;
      case 'dead':
        this.failures++;
        this.state = 'dead';
        return;
      case 'fail':
        this.failures++;
        this.earliestAt = startedAt + settling.pauseMs;
        return;
      case 'giveBack':
        this.deliveries--;
        this.earliestAt = startedAt + settling.pauseMs;
    }
  }

  /** Sent again after it was dead. */
  revived(sequence: number): void {
    this.state = 'open';
    this.sequence = sequence;
    this.deliveries = 0;
    this.atLeast = false;
    this.failures = 0;
    this.earliestAt = 0;
    this.expiresAt = Infinity;
  }

  doubted(): void {
    this.state = 'unsure';
    this.holding = undefined;
    this.atLeast = true;
  }
}
