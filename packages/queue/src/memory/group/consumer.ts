import { onAbort } from '@ashlar/core';
import type { ConsumeOptions, Delivery } from '../../driver.ts';

/** What a consumer asks of its group. */
interface Source {
  take(consumer: Consumer): Delivery | undefined;
  /** The consumer wants a message and has a place for it; it is called when there is one. */
  wait(consumer: Consumer): void;
  left(consumer: Consumer): void;
}

interface Want {
  resolve(result: IteratorResult<Delivery, undefined>): void;
  reject(error: unknown): void;
}

const end = { done: true, value: undefined } as const;

/** The iteration of one `consume`. At most `prefetch` of its deliveries are unsettled. */
export class Consumer implements AsyncIterableIterator<Delivery, undefined> {
  readonly #prefetch: number;
  readonly #source: Source;
  readonly #wants: Want[] = [];
  readonly #unlink: () => void;
  #unsettled = 0;
  #isEnded = false;
  #failure: Error | undefined;

  constructor({ prefetch, signal }: ConsumeOptions, source: Source) {
    this.#prefetch = prefetch;
    this.#source = source;
    this.#unlink = onAbort(signal, () => void this.return());
  }

  next(): Promise<IteratorResult<Delivery, undefined>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isEnded) return Promise.resolve(end);
    // Not past those that wait already
    const hasPlace = this.#wants.length === 0 && this.#unsettled < this.#prefetch;
    const delivery = hasPlace ? this.#source.take(this) : undefined;
    if (delivery !== undefined) {
      this.#unsettled++;
      return Promise.resolve({ done: false, value: delivery });
    }
    return new Promise((resolve, reject) => {
      this.#wants.push({ resolve, reject });
      this.#ask();
    });
  }

  /** Hands over what `wait` asked for. */
  receive(delivery: Delivery): void {
    this.#unsettled++;
    this.#wants.shift()!.resolve({ done: false, value: delivery });
    this.#ask();
  }

  /** One of its deliveries is no longer in its hands. */
  settled(): void {
    this.#unsettled--;
    this.#ask();
  }

  fail(error: Error): void {
    this.#failure = error;
    for (const want of this.#wants.splice(0)) want.reject(error);
    this.#leave();
  }

  return(): Promise<IteratorResult<Delivery, undefined>> {
    for (const want of this.#wants.splice(0)) want.resolve(end);
    this.#leave();
    return Promise.resolve(end);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.return().then(() => {});
  }

  #ask(): void {
    if (this.#wants.length > 0 && this.#unsettled < this.#prefetch) this.#source.wait(this);
  }

  #leave(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#unlink?.();
    this.#source.left(this);
  }
}
