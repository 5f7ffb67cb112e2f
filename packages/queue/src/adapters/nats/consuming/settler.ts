import type { Msg } from '@nats-io/transport-node';
import type { NackOptions } from '../../../driver.ts';
import { answer, confirmed, type NatsLink } from '../connection.ts';
import { deadSubject, type GroupNames } from '../names.ts';
import { fieldsOf } from '../raw-headers.ts';
import { headersAgain, headersOfDead, receiptOf, Stored } from '../wire.ts';
import type { Held } from './held.ts';
import type { ServerClock } from './server-clock.ts';

export interface SettlerParts {
  readonly link: NatsLink;
  readonly names: GroupNames;
  readonly maxDead: number;
  readonly clock: ServerClock;
}

/** When the server has not said its time, it may with the next delivery. */
const unknownMs = 250;
const encoder = new TextEncoder();
const acknowledge = encoder.encode('+ACK');

/** Answers for messages, and stores them again for their group: later, with other counts, or dead. */
export class Settler {
  readonly #link: NatsLink;
  readonly #names: GroupNames;
  readonly #maxDead: number;
  readonly #clock: ServerClock;

  constructor({ link, names, maxDead, clock }: SettlerParts) {
    this.#link = link;
    this.#names = names;
    this.#maxDead = maxDead;
    this.#clock = clock;
  }

  async ack(held: Held): Promise<void> {
    answered(await this.#link.request(held.reply, acknowledge));
  }

  /** It is stored again for this group, with other counts, and then acknowledged where it was: it may be twice, and never not. */
  async nack(held: Held, { requeueAfterMs = 0, dead, charge = true }: NackOptions): Promise<void> {
    const { stored } = held;
    const failures = stored.failures + (charge ? 1 : 0);
    if (dead !== undefined) {
      await this.#bury(held, { reason: dead, failures });
    } else {
      const deliveries = held.deliveries - (charge ? 0 : 1);
      const counts = { once: this.#once(held), deliveries, failures };
      const isLater = requeueAfterMs > 0;
      const delay = isLater ? { delayMs: requeueAfterMs } : {};
      await this.#store(
        isLater ? this.#names.later : this.#names.ready,
        stored,
        headersAgain(stored, { ...counts, ...delay }),
      );
    }
    answered(await this.#link.request(held.reply, acknowledge));
  }

  /**
   * A new message that is held back waits in the stream of the group, and takes no place. One that comes again without
   * an answer goes there too: when it was stored there before and only the acknowledgement was lost, JetStream knows that
   * copy by its name, and there are not two.
   */
  async pass(held: Held): Promise<void> {
    const { stored } = held;
    const { isHeldBack, dueAt, failures } = stored;
    const deliveries = isHeldBack ? 0 : held.deliveries - 1;
    const counts = { once: this.#once(held), deliveries, failures, ...(isHeldBack && { dueAt }) };
    await this.#store(
      isHeldBack ? this.#names.later : this.#names.ready,
      stored,
      headersAgain(stored, counts),
    );
    answered(await this.#link.request(held.reply, acknowledge));
  }

  /** What is due is stored among the ready ones; the rest comes again when it is. */
  async moveDue(message: Msg): Promise<void> {
    const receipt = receiptOf(message.reply!);
    const stored = new Stored(fieldsOf(message), message.data, receipt.storedAt, String(receipt.sequence));
    const { deliveries, failures } = stored;
    const once = `${this.#names.later}:${receipt.sequence}`;
    try {
      const known = this.#clock.known(receipt);
      const now = known ?? (await this.#clock.now(receipt).catch(() => undefined));
      const inMs = now === undefined ? unknownMs : stored.dueAt - now;
      if (inMs > 0) {
        const delay = JSON.stringify({ delay: Math.ceil(inMs * 1e6) });
        message.respond(encoder.encode(`-NAK ${delay}`));
        return;
      }
      await this.#store(this.#names.ready, stored, headersAgain(stored, { once, deliveries, failures }));
      answered(await this.#link.request(message.reply!, acknowledge));
    } catch {
      // It comes again
    }
  }

  async #bury(
    held: Held,
    { reason, failures }: { readonly reason: string; readonly failures: number },
  ): Promise<void> {
    if (this.#maxDead === 0) return;
    const { stored, deliveries } = held;
    const once = this.#once(held);
    const head = headersOfDead(stored, { once, deliveries, failures, reason });
    await this.#store(deadSubject(this.#names, stored.id), stored, head);
  }

  /** The same for each try to store this copy of the message again. */
  #once({ receipt }: Held): string {
    return `${receipt.stream}:${this.#names.consumer}:${receipt.sequence}`;
  }

  async #store(subject: string, { body }: Stored, headers: ReturnType<typeof headersAgain>): Promise<void> {
    confirmed(await this.#link.request(subject, body, headers));
  }
}

/** JetStream confirms an answer by an empty message. */
function answered(message: Msg): void {
  if (message.data.length > 0) answer(message);
}
