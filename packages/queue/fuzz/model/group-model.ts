import type { DeadLetter, Delivery, OutgoingMessage } from '../../src/index.ts';
import type { Plan, Settling } from '../plan/plan.ts';
import { type Holding, MessageModel } from './message-model.ts';

export interface ModelParts {
  readonly name: string;
  readonly sharing: Plan['sharing'];
  readonly leaseMs: number;
  /** Whether time is exact. */
  readonly isExact: boolean;
  /** Whether a message whose lease has ended may be handed out twice at once, and be counted wrongly. */
  readonly repeats: boolean;
  readonly now: () => number;
  readonly complain: (complaint: string) => void;
}

/** What a group may hand out, and what it has handed out. */
export class GroupModel {
  readonly messages: Map<string, MessageModel> = new Map();
  /** Deliveries in hands, of all consumers. */
  readonly holdings: Set<Holding> = new Set();
  isPaused = false;
  /** A server that counts what it sends may have sent to connections that had ended, also what was published later. */
  #countsUnseen = false;
  readonly #parts: ModelParts;

  constructor(parts: ModelParts) {
    this.#parts = parts;
  }

  /** Before the call: from now on it may come. */
  publishing(sent: OutgoingMessage, sequence: number): void {
    if (!this.messages.has(sent.id)) {
      this.messages.set(sent.id, new MessageModel(sent, sequence, this.#parts.now()));
    }
  }

  /** The call said what became of it; a message that has come already is known better. */
  published(id: string, outcome: 'confirmed' | 'refused' | 'unknown'): void {
    const message = this.messages.get(id)!;
    if (message.state !== 'unsure' || message.deliveries > 0) return;
    if (outcome === 'confirmed') message.state = 'open';
    if (outcome === 'refused') this.messages.delete(id);
  }

  /** A consumer has it in hands now. */
  received(delivery: Delivery, consumer: object): Holding | undefined {
    const now = this.#parts.now();
    const message = this.messages.get(delivery.id);
    if (message === undefined) {
      this.#complain(`a message that nobody published came: ${JSON.stringify(delivery.id)}`);
      return undefined;
    }
    this.#compare(message, delivery);
    const before = message.holding;
    const mayHaveEnded = message.atLeast || (before !== undefined && !this.isSurelyHeld(before));
    if (this.#parts.repeats && mayHaveEnded) message.mayBeTwo = true;
    const settling = before?.settling;
    if (settling?.how === 'fail' || settling?.how === 'giveBack') {
      // Its redelivery is quicker than the answer; or its lease has ended before
      const isCounted =
        settling.how === 'fail'
          ? delivery.failures !== message.failures
          : delivery.deliveries <= message.deliveries;
      const isSettled = this.isSurelyHeld(before!) || isCounted;
      this.#drop(before!);
      if (isSettled) message.settled(settling, now - settling.pauseMs);
    } else if (before !== undefined) {
      if (this.isSurelyHeld(before) && !message.mayBeTwo) this.#complain(`${message.text} is in two hands`);
      this.#drop(before);
    }
    if (!message.mayBeTwo) this.#checkState(message, delivery, now);
    message.deliveries = delivery.deliveries;
    message.failures = delivery.failures ?? message.failures;
    message.atLeast = false;
    if (message.state !== 'gone') message.state = message.wasTakenUnseen ? 'unsure' : 'open';
    const holding: Holding = {
      delivery,
      message,
      consumer,
      goodAt: now,
      isAbandoned: false,
      mayBeLost: message.state === 'gone' || message.mayBeTwo || message.wasTakenUnseen,
      settling: undefined,
    };
    message.holding = holding;
    this.holdings.add(holding);
    return holding;
  }

  /** What the driver says after a settling. */
  settled(holding: Holding, settling: Settling, startedAt: number, error: unknown): void {
    const { message } = holding;
    const isCurrent = message.holding === holding;
    this.#drop(holding);
    if (error === undefined) {
      if (isCurrent) message.settled(settling, startedAt);
      else if (settling.how === 'ack' || settling.how === 'dead') {
        if (!holding.mayBeLost)
          this.#complain(`${message.text} came again while it was settled by ${settling.how}`);
      }
      return;
    }
    if (isCurrent) message.holding = undefined;
  }

  canceled(id: string): void {
    const message = this.messages.get(id)!;
    message.state = 'gone';
    message.goneAt = this.#parts.now();
    if (message.holding !== undefined) message.holding.mayBeLost = true;
    message.holding = undefined;
  }

  /**
   * After connections have ended: what was on its way may have been counted.
   *
   * @param forgets whether settlings that were on their way may be lost, too, and deliveries go on until the end is noticed
   */
  disturbed(forgets = false): void {
    this.#countsUnseen ||= forgets;
    for (const message of this.messages.values()) {
      message.atLeast = true;
      if (forgets) message.mayBeTwo = true;
    }
    for (const holding of this.holdings) holding.mayBeLost = true;
  }

  /** After a consumer has ended: what it had claimed and not handed over may be counted until its lease ends. */
  left(): void {
    for (const message of this.messages.values()) if (message.holding === undefined) message.atLeast = true;
  }

  /** Whether these may be all dead letters. */
  compareDead(letters: readonly DeadLetter[]): void {
    const found = new Map(letters.map(letter => [letter.id, letter]));
    for (const [id, message] of this.messages) {
      const letter = found.get(id);
      found.delete(id);
      if (message.state === 'unsure' || message.mayBeTwo) continue;
      const isUnderWay = message.holding?.settling?.how === 'dead';
      if (letter === undefined && message.state === 'dead')
        this.#complain(`${message.text} is missing among the dead`);
      if (letter !== undefined && message.state !== 'dead' && !isUnderWay) {
        this.#complain(`${message.text} is ${message.state}, and among the dead`);
      }
      if (letter === undefined || message.state !== 'dead') continue;
      this.#compare(message, letter);
      if (letter.failures !== message.failures) {
        this.#complain(
          `the dead ${message.text} has ${letter.failures} failures in place of ${message.failures}`,
        );
      }
      if (letter.deliveries !== message.deliveries) {
        this.#complain(
          `the dead ${message.text} has ${letter.deliveries} deliveries in place of ${message.deliveries}`,
        );
      }
    }
    for (const id of found.keys())
      this.#complain(`a message that nobody published is dead: ${JSON.stringify(id)}`);
  }

  dead(): MessageModel[] {
    return [...this.messages.values()].filter(({ state }) => state === 'dead');
  }

  get isUnsure(): boolean {
    return [...this.messages.values()].some(({ state, mayBeTwo }) => state === 'unsure' || mayBeTwo);
  }

  /** Those that must still come. */
  owed(): MessageModel[] {
    const now = this.#parts.now();
    return [...this.messages.values()].filter(({ state, expiresAt }) => state === 'open' && expiresAt > now);
  }

  #checkState(message: MessageModel, delivery: Delivery, now: number): void {
    const { state } = message;
    const { isExact, leaseMs } = this.#parts;
    const slackMs = isExact ? 0 : 3;
    if (state === 'acknowledged' || state === 'dead')
      this.#complain(`${message.text} is ${state}, and came again`);
    // A canceled one may have been on its way
    const wasOnItsWay = !isExact && now - message.goneAt < leaseMs;
    if (state === 'gone' && !wasOnItsWay) this.#complain(`${message.text} is canceled, and came`);
    if (state !== 'open') return;
    if (now < message.earliestAt - slackMs) {
      this.#complain(`${message.text} came ${message.earliestAt - now} ms before its time`);
    }
    if (isExact && now >= message.expiresAt) this.#complain(`${message.text} is expired, and came`);
    if (isExact && this.isPaused) this.#complain(`${message.text} came while the group is paused`);
    const expected = message.deliveries + 1;
    const mayBeMore = message.atLeast || this.#countsUnseen;
    if (mayBeMore ? delivery.deliveries < expected : delivery.deliveries !== expected) {
      this.#complain(`${message.text} counts ${delivery.deliveries} deliveries in place of ${expected}`);
    }
    if (delivery.failures !== undefined && delivery.failures !== message.failures) {
      this.#complain(`${message.text} counts ${delivery.failures} failures in place of ${message.failures}`);
    }
    if (this.#parts.sharing === 'ordered' && message.sent.key !== undefined) this.#checkOrder(message);
  }

  #checkOrder(message: MessageModel): void {
    const { key } = message.sent;
    for (const other of this.messages.values()) {
      if (other.sent.key !== key || other === message || other.state !== 'open' || other.isCanceling)
        continue;
      if (
        other.holding !== undefined &&
        this.isSurelyHeld(other.holding) &&
        other.holding.settling === undefined
      ) {
        this.#complain(`two of the key ${JSON.stringify(key)} are in hands`);
      }
      if (other.holding === undefined && other.sequence < message.sequence) {
        this.#complain(`${message.text} came before ${other.text}, an earlier one of its key`);
      }
    }
  }

  #compare({ sent, text }: MessageModel, found: Pick<Delivery, 'body' | 'headers' | 'key'>): void {
    if (Buffer.compare(sent.body, found.body) !== 0) this.#complain(`${text} came with another body`);
    if (sent.key !== found.key) this.#complain(`${text} came with another key`);
    if (sortedJson(sent.headers) !== sortedJson(found.headers)) {
      this.#complain(`${text} came with other headers`);
    }
  }

  /** A delivery's lease may have begun before it was received, so that on a server half of it is sure. */
  isSurelyHeld({ goodAt, mayBeLost }: Holding): boolean {
    const { now, leaseMs, isExact } = this.#parts;
    return !mayBeLost && now() - goodAt < (isExact ? leaseMs : leaseMs / 2);
  }

  #drop(holding: Holding): void {
    this.holdings.delete(holding);
    if (holding.message.holding === holding) holding.message.holding = undefined;
  }

  #complain(complaint: string): void {
    this.#parts.complain(`${this.#parts.name}: ${complaint}`);
  }
}

function sortedJson(headers: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1)));
}
