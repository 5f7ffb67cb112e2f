import type { DrainOptions } from './options.ts';
import { Subscription, type SubscriptionParts, type SubscriptionSnapshot } from './subscription.ts';

/** The subscriptions of a queue that have not ended. */
export class Subscriptions {
  /** With when they have ended, also for those that are not waited for. */
  readonly #ends = new Map<Subscription, Promise<void>>();

  get areOver(): boolean {
    return this.#ends.size === 0;
  }

  /** @throws InvalidOptionError when the driver cannot consume as it was made */
  async add(parts: Omit<SubscriptionParts, 'closed'>): Promise<Subscription> {
    let over!: () => void;
    const ended = new Promise<void>(resolve => {
      over = resolve;
    });
    const subscription = new Subscription({
      ...parts,
      closed: () => {
        this.#ends.delete(subscription);
        over();
      },
    });
    this.#ends.set(subscription, ended);
    const { refusal } = subscription;
    if (refusal === undefined) return subscription;
    await subscription.close({ timeoutMs: 0 });
    throw refusal;
  }

  snapshots(): SubscriptionSnapshot[] {
    return Array.from(this.#ends.keys(), subscription => subscription.snapshot());
  }

  /** As each of them closes. */
  async close(options: DrainOptions): Promise<void> {
    await Promise.all(Array.from(this.#ends.keys(), subscription => subscription.close(options)));
  }

  /** Resolves when those that there are have ended. */
  async over(): Promise<void> {
    await Promise.all(this.#ends.values());
  }
}
