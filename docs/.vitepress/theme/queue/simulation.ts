import { ManualClock } from '@ashlar/core/testing';
import { type Delivery, memoryDriver } from '@ashlar/queue';

/** What a reader sees of a message. `orphaned`: its worker died, and its lease has not ended yet. */
export interface MessageView {
  readonly number: number;
  readonly state: 'waiting' | 'active' | 'orphaned' | 'handled';
  readonly worker: string | undefined;
  /** How often it was handed out. */
  readonly deliveries: number;
  /** How much of the work is done, 0 to 1. */
  readonly progress: number;
  /** Milliseconds until an orphaned one is for another worker. */
  readonly comesBackInMs: number;
}

export interface WorkerView {
  readonly name: string;
  readonly isAlive: boolean;
  readonly handled: number;
  readonly messages: readonly MessageView[];
}

interface Message {
  readonly number: number;
  state: MessageView['state'];
  worker: string | undefined;
  deliveries: number;
  startedAt: number;
  leaseEndsAt: number;
}

interface Worker {
  readonly name: string;
  life: AbortController | undefined;
  handled: number;
}

const topic = 'orders';
const group = 'billing';
export const leaseMs = 4_000;
const workMs = 2_500;
const publishEveryMs = 1_000;
const prefetch = 2;
const keptEvents = 6;
const keptHandled = 8;
const body = new Uint8Array(0);

/** Workers that share the messages of the memory driver, and can be killed with messages in hands. */
export class QueueSimulation {
  readonly events: string[] = [];
  published = 0;
  redelivered = 0;
  readonly #clock = new ManualClock();
  readonly #driver = memoryDriver({ clock: this.#clock, leaseMs });
  readonly #messages = new Map<string, Message>();
  readonly #workers: readonly Worker[];
  #handled = 0;

  private constructor(names: readonly string[]) {
    this.#workers = names.map(name => ({ name, life: undefined, handled: 0 }));
  }

  static async start(names: readonly string[]): Promise<QueueSimulation> {
    const simulation = new QueueSimulation(names);
    await simulation.#driver.declare(topic, group);
    for (const name of names) simulation.revive(name);
    void simulation.#publishAgain();
    return simulation;
  }

  get nowMs(): number {
    return this.#clock.now();
  }

  get handled(): number {
    return this.#handled;
  }

  /** Published, and neither handled nor to be seen. */
  get lost(): number {
    return this.published - this.#handled - this.#views(({ state }) => state !== 'handled').length;
  }

  get workers(): WorkerView[] {
    const held = this.#views(({ state }) => state === 'active' || state === 'orphaned');
    return this.#workers.map(({ name, life, handled }) => ({
      name,
      isAlive: life !== undefined,
      handled,
      messages: held.filter(({ worker }) => worker === name),
    }));
  }

  get waiting(): MessageView[] {
    return this.#views(({ state }) => state === 'waiting');
  }

  get done(): MessageView[] {
    return this.#views(({ state }) => state === 'handled').slice(-keptHandled);
  }

  async advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
  }

  async publish(): Promise<void> {
    const number = ++this.published;
    const fresh = {
      state: 'waiting',
      worker: undefined,
      deliveries: 0,
      startedAt: 0,
      leaseEndsAt: 0,
    } as const;
    this.#messages.set(String(number), { number, ...fresh });
    await this.#driver.publish(topic, [{ id: String(number), body, headers: {} }]);
  }

  /** It dies between two instructions: what it holds is neither acknowledged nor given back. */
  kill(name: string): void {
    const worker = this.#worker(name);
    if (worker.life === undefined) return;
    worker.life.abort();
    worker.life = undefined;
    const held = [...this.#messages.values()].filter(one => one.worker === name && one.state === 'active');
    for (const message of held) message.state = 'orphaned';
    const numbers = held.map(({ number }) => number).join(' and ');
    this.#tell(
      numbers === '' ? `${name} dies with empty hands` : `${name} dies with ${numbers} in its hands`,
    );
  }

  revive(name: string): void {
    const worker = this.#worker(name);
    if (worker.life !== undefined) return;
    worker.life = new AbortController();
    void this.#work(worker, worker.life.signal);
    if (this.published > 0) this.#tell(`${name} is back`);
  }

  async #publishAgain(): Promise<never> {
    for (;;) {
      await this.publish();
      await this.#clock.sleep(publishEveryMs);
    }
  }

  async #work(worker: Worker, signal: AbortSignal): Promise<void> {
    for await (const delivery of this.#driver.consume(topic, group, { prefetch, signal })) {
      if (signal.aborted) return;
      this.#handle(worker, delivery, signal).catch(() => {}); // it died
    }
  }

  async #handle(worker: Worker, delivery: Delivery, signal: AbortSignal): Promise<void> {
    const message = this.#messages.get(delivery.id)!;
    const now = this.nowMs;
    if (delivery.deliveries > 1) {
      this.redelivered++;
      this.#tell(`the lease of ${message.number} has ended: ${worker.name} has it now`);
    }
    Object.assign(message, { state: 'active', worker: worker.name, deliveries: delivery.deliveries });
    Object.assign(message, { startedAt: now, leaseEndsAt: now + leaseMs });
    await this.#clock.sleep(workMs, signal);
    await delivery.ack();
    message.state = 'handled';
    worker.handled++;
    this.#handled++;
    this.#forgetOld();
  }

  #views(which: (view: MessageView) => boolean): MessageView[] {
    const now = this.nowMs;
    const views = [...this.#messages.values()].map(message => {
      const { number, deliveries, startedAt, leaseEndsAt } = message;
      // Where no worker is left to take it
      const isFree = message.state === 'orphaned' && leaseEndsAt <= now;
      const state = isFree ? 'waiting' : message.state;
      const worker = isFree ? undefined : message.worker;
      const progress = state === 'active' ? Math.min(1, (now - startedAt) / workMs) : 0;
      const comesBackInMs = state === 'orphaned' ? Math.max(0, leaseEndsAt - now) : 0;
      return { number, state, worker, deliveries, progress, comesBackInMs };
    });
    return views.filter(which);
  }

  #worker(name: string): Worker {
    return this.#workers.find(worker => worker.name === name)!;
  }

  #tell(event: string): void {
    this.events.push(event);
    if (this.events.length > keptEvents) this.events.shift();
  }

  #forgetOld(): void {
    const handled = [...this.#messages].filter(([, { state }]) => state === 'handled');
    for (const [id] of handled.slice(0, -keptHandled)) this.#messages.delete(id);
  }
}
