import { setTimeout as delay } from 'node:timers/promises';
import {
  type ConsumeOptions,
  type Delivery,
  type Driver,
  GroupGoneError,
  QueueUnavailableError,
} from '../../src/index.ts';

/** Iterates over the deliveries of a group until it is shut; again after a lost connection, as a queue does. */
export class Consumer {
  readonly group: string;
  readonly prefetch: number;
  readonly ended: Promise<void>;
  error: unknown;
  isShut = false;
  /** How often its connection was lost; what is in hands then takes no place of the next iteration. */
  losses = 0;
  /** How often its group was gone. */
  gone = 0;
  readonly #stop = new AbortController();

  constructor(
    driver: Driver,
    topic: string,
    group: string,
    options: Omit<ConsumeOptions, 'signal'>,
    receive: (delivery: Delivery, consumer: Consumer) => void,
  ) {
    this.group = group;
    this.prefetch = options.prefetch;
    const { signal } = this.#stop;
    const iterate = async () => {
      for await (const delivery of driver.consume(topic, group, { ...options, signal }))
        receive(delivery, this);
    };
    this.ended = (async () => {
      while (this.losses < 100 && !signal.aborted) {
        try {
          return await iterate();
        } catch (error) {
          if (error instanceof GroupGoneError) this.gone++;
          else if (!(error instanceof QueueUnavailableError)) throw error;
          this.losses++;
          await delay(10);
        }
      }
    })().catch(error => {
      this.error = error;
    });
  }

  shut(): void {
    this.isShut = true;
    this.#stop.abort();
  }
}
