import type { GroupModel } from '../model/group-model.ts';
import type { Holding, MessageModel } from '../model/message-model.ts';
import { type Case, topic } from './case.ts';

/**
 * Whether a message came while one of a higher priority waited, which had done so since before it was published or its consumer
 * began.
 */
export class Priorities {
  readonly #case: Case;
  readonly #asked = new Set<Promise<void>>();
  /** What was published before may have been handed out and given back. */
  #since = 0;

  constructor(played: Case) {
    this.#case = played;
  }

  /** A consumer or a connection has ended. */
  left(): void {
    this.#since = this.#case.sequence;
  }

  /** @param begunAt the next message when the consumer began, in the order of publishing */
  check(
    process: number,
    group: GroupModel,
    { message, delivery, wasUnseen }: Holding,
    begunAt: number,
  ): void {
    const { capabilities } = this.#case.site;
    const isAsked = capabilities.priority && capabilities.jobs && this.#case.plan.sharing === 'any';
    if (!isAsked || message.isRaw || wasUnseen || delivery.deliveries !== 1) return;
    const claimedAfter = Math.max(message.sequence, begunAt);
    for (const other of group.messages.values()) {
      const isFirst = (other.sent.priority ?? 0) > (message.sent.priority ?? 0);
      if (!isFirst || !this.#isPlain(other) || other.confirmedBefore > claimedAfter) continue;
      if (other.state !== 'open' || other.deliveries > 0 || other.isCanceling) continue;
      const asking = this.#ask(process, group, message, other).finally(() => this.#asked.delete(asking));
      this.#asked.add(asking);
    }
  }

  /** Resolves when all that was asked is answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#asked);
  }

  /** That it has not come says nothing: it may be on its way. That it waits does. */
  async #ask(process: number, group: GroupModel, message: MessageModel, other: MessageModel): Promise<void> {
    const since = this.#since;
    const driver = this.#case.driver(process);
    const found = await driver.find!(topic, group.name, other.sent.id).catch(() => undefined);
    if (found?.state !== 'waiting' || found.deliveries > 0) return;
    if (this.#since !== since || other.atLeast) return;
    this.#case.complaints.push(`${message.text} came before ${other.text} of a higher priority`);
  }

  #isPlain(message: MessageModel): boolean {
    const { delayMs, expiresInMs } = message.sent;
    if (message.sequence < this.#since || message.isRaw || message.atLeast) return false;
    return delayMs === undefined && expiresInMs === undefined;
  }
}
