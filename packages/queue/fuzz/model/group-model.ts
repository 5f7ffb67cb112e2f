import type { DeadLetter, Delivery, OutgoingMessage } from '../../src/index.ts';
import type { Plan, Settling } from '../plan/plan.ts';
import { compareContents, compareDead } from './contents.ts';
import { type Holding, MessageModel } from './message-model.ts';

export interface ModelParts {
  readonly name: string;
  readonly sharing: Plan['sharing'];
  readonly leaseMs: number;
  /** Whether time is exact. */
  readonly isExact: boolean;
  /** Whether a message whose lease has ended may be handed out twice at once, and be counted wrongly. */
  readonly repeats: boolean;
  /** Whether the backend counts what was handed out and never settled. */
  readonly countsCrashes: boolean;
  readonly now: () => number;
  readonly complain: (complaint: string) => void;
}

/** What a group may hand out, and what it has handed out. */
export class GroupModel {
  readonly messages: Map<string, MessageModel> = new Map();
  /** Deliveries in hands, of all consumers. */
  readonly holdings: Set<Holding> = new Set();
  isPaused = false;
  /** In the order of publishing, the first message after the pause, while that surely goes on. */
  pausedFrom: number = Number.POSITIVE_INFINITY;
  /** What is in the backend may become a dead letter by itself, or be counted otherwise. */
  isMeddledWith = false;
  /** What is held back for several groups may come to one of them again, while another is full. */
  #repeatsDelayed = false;
  /** Other code is about to say which jobs it has added; what came meanwhile. */
  #early: { readonly delivery: Delivery; readonly consumer: object }[] | undefined;
  /** A server that counts what it sends may have sent to connections that had ended, also what was published later. */
  #countsUnseen = false;
  readonly #parts: ModelParts;

  constructor(parts: ModelParts) {
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.name;
  }

  /** Before the call: from now on it may come. */
  publishing(sent: OutgoingMessage, sequence: number): void {
    if (this.messages.has(sent.id)) return;
    const message = new MessageModel(sent, sequence, this.#parts.now());
    message.mayBeTwo = this.isMeddledWith || (this.#repeatsDelayed && message.isDelayed);
    this.messages.set(sent.id, message);
  }

  /**
   * The call said what became of it; a message that has come already is known better.
   *
   * @param next the number of the next message
   */
  published(id: string, outcome: 'confirmed' | 'refused' | 'unknown', next: number): void {
    const message = this.messages.get(id)!;
    if (message.state !== 'unsure' || message.deliveries > 0) return;
    message.isUnanswered = outcome === 'unknown';
    if (outcome === 'refused') this.messages.delete(id);
    if (outcome !== 'confirmed') return;
    message.state = 'open';
    message.confirmedBefore = next;
  }

  /** Confirmed as one that is there or was: it is, unless it was handed out since or taken away. */
  publishedAgain(id: string): void {
    const message = this.messages.get(id);
    if (message?.isUnanswered && message.state === 'unsure' && message.deliveries === 0) {
      message.state = 'open';
      message.isUnanswered = false;
    }
  }

  /** Until other code has said which jobs it has added, any may come. */
  awaiting(): void {
    this.#early = [];
  }

  /** It has said so. What came meanwhile is received now. */
  awaited(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const { delivery, consumer } of early) this.received(delivery, consumer);
  }

  /**
   * Nobody knows any more what became of any message, but for those of which `isLeft` is true.
   *
   * @param takesHeld whether what is in hands is gone too: then what was on its way still comes, and is lost
   */
  emptied(isLeft: (message: MessageModel) => boolean, takesHeld: boolean): void {
    for (const message of this.messages.values()) {
      if (isLeft(message)) continue;
      for (const holding of this.holdings) if (holding.message === message) holding.mayBeLost = true;
      message.doubted();
      message.wasTakenUnseen ||= takesHeld;
    }
  }

  /** All dead letters are deleted, also those that nobody knows of. */
  purgedUnseen(): void {
    for (const message of this.messages.values()) {
      const mayHaveDied =
        message.owed === 'deliveryOrDeath' ||
        (this.isMeddledWith && message.state === 'open' && message.holding === undefined);
      if (mayHaveDied) message.doubted();
    }
  }

  /** Something was done to it by which its parent may go on without it, and its children may be gone. */
  unlinked(message: MessageModel): void {
    for (const child of message.children) child.doubted();
    for (const parent of this.#parentsOf(message)) parent.doubted();
  }

  /** It is about to be handed out once more: that holds up no parent that is ready. */
  resurrecting(message: MessageModel): void {
    for (const parent of this.#parentsOf(message)) parent.isReleased ||= !parent.waitsForChildren;
  }

  #parentsOf(message: MessageModel): MessageModel[] {
    return [...this.messages.values()].filter(({ children }) => children.includes(message));
  }

  /** From now on the backend may take messages out by itself: they are dead then. */
  meddledWith(): void {
    this.isMeddledWith = true;
    for (const message of this.messages.values()) message.mayBeTwo = true;
  }

  /** From now on a group of the topic may be full. */
  filled(): void {
    this.#repeatsDelayed = true;
    for (const message of this.messages.values()) if (message.isDelayed) message.mayBeTwo = true;
  }

  /** A consumer has it in hands now. */
  received(delivery: Delivery, consumer: object): Holding | undefined {
    const now = this.#parts.now();
    const message = this.messages.get(delivery.id);
    if (message === undefined && this.#early !== undefined) {
      this.#early.push({ delivery, consumer });
      return undefined;
    }
    if (message === undefined) {
      this.#complain(`a message that nobody published came: ${JSON.stringify(delivery.id)}`);
      return undefined;
    }
    compareContents(message, delivery, complaint => this.#complain(complaint));
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
    const wasUnseen = message.atLeast;
    message.deliveries = delivery.deliveries;
    message.failures = delivery.failures ?? message.failures;
    message.atLeast = false;
    message.isDelayed = false;
    message.isReleased = true;
    message.owed = 'nothing';
    if (message.state !== 'gone') message.state = message.wasTakenUnseen ? 'unsure' : 'open';
    const holding: Holding = {
      delivery,
      message,
      consumer,
      goodAt: now,
      wasUnseen,
      isAbandoned: false,
      mayBeLost: message.state === 'gone' || message.mayBeTwo || message.wasTakenUnseen,
      settling: undefined,
      progress: undefined,
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
      else if (settling.how === 'ack' || settling.how === 'answer' || settling.how === 'dead') {
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
    compareDead(this.messages, letters, complaint => this.#complain(complaint));
  }

  dead(): MessageModel[] {
    return [...this.messages.values()].filter(({ state }) => state === 'dead');
  }

  get isUnsure(): boolean {
    return [...this.messages.values()].some(({ state, mayBeTwo }) => state === 'unsure' || mayBeTwo);
  }

  /** Those that must still come. @param dead the ids of the dead letters, of which some may be among them */
  owed(dead: ReadonlySet<string> = new Set()): MessageModel[] {
    const now = this.#parts.now();
    return [...this.messages.values()].filter(message => {
      const { state, owed, expiresAt } = message;
      if (expiresAt <= now || message.waitsForChildren || message.isFar(now)) return false;
      const mayBeDead = owed === 'deliveryOrDeath' || this.isMeddledWith;
      return (state === 'open' || owed !== 'nothing') && !(mayBeDead && dead.has(message.sent.id));
    });
  }

  /** How many may be there that nobody waits for. */
  get far(): number {
    const now = this.#parts.now();
    const isThere = ({ state }: MessageModel) => state === 'open' || state === 'unsure';
    return [...this.messages.values()].filter(message => isThere(message) && message.isFar(now)).length;
  }

  /** Whether an unsettled message may be among the dead letters. */
  get mayHaveDied(): boolean {
    const isUnsure = ({ owed }: MessageModel) => owed === 'deliveryOrDeath';
    return this.isMeddledWith || [...this.messages.values()].some(isUnsure);
  }

  /** How many messages the backend may have that are not settled: at least, at most. */
  counts(): readonly [number, number] {
    const now = this.#parts.now();
    const open = [...this.messages.values()].filter(({ state }) => state === 'open');
    const sure = open.filter(message => message.expiresAt > now && !message.waitsForChildren);
    return [sure.length, open.length];
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
    if (message.sequence >= this.pausedFrom && message.deliveries === 0) {
      this.#complain(`${message.text} came, which was published while the group is paused`);
    }
    const child = message.children.find(
      ({ state, holding }) => (state === 'open' || state === 'dead') && holding?.settling === undefined,
    );
    if (child !== undefined && !message.isReleased) {
      this.#complain(`${message.text} came before ${child.text}, for which it waits`);
    }
    const expected = message.deliveries + 1;
    const mayBeMore = message.atLeast || this.#countsUnseen;
    const isFewer = delivery.deliveries < expected && this.#parts.countsCrashes;
    if (mayBeMore ? isFewer : delivery.deliveries !== expected) {
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
