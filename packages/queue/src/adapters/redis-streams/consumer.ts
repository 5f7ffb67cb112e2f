import { randomUUID } from 'node:crypto';
import { backgroundClock, onAbort } from '@ashlar/core';
import { type Commands, type Link, replyCode } from '@ashlar/store/redis-connection';
import type { ConsumeOptions, Delivery, NackOptions } from '../../driver.ts';
import { DeliveryLostError, GroupGoneError } from '../../errors.ts';
import type { TopicKeys } from './keys.ts';
import { fetchScript, leaveScript, trimScript } from './scripts.ts';
import { Settler } from './settler.ts';
import { type Fetched, fetched, fetchedNew, type RawFetched, type RawFields } from './wire.ts';

export interface ConsumerParts {
  readonly topic: string;
  readonly group: string;
  readonly keys: TopicKeys;
  readonly leaseMs: number;
  readonly maxDead: number;
  readonly timeoutMs: number;
  readonly commands: Commands;
  /** Opens the connection that waits for messages. `lost` is called after each reconnect. */
  open(lost: () => void): Link;
  /** Ends that connection. */
  close(link: Link): void;
}

/** The longest wait for messages; after it, the rest is looked after and the consumer is known to be alive. */
const blockMs = 1_000;
/** How often a consumer looks for the messages of consumers that died: at least four times a lease. */
const searchesPerLease = 4;
/** How often a waiting consumer looks for delays that end: how late one may be that another process has published. */
const lookMs = 500;
/** How often a consumer deletes what all groups are done with. */
const trimMs = 1_000;

/** Deliveries of one group, as many at once as there are places. */
export async function* consume(
  parts: ConsumerParts,
  { prefetch, signal, alive }: ConsumeOptions,
): AsyncGenerator<Delivery, void, undefined> {
  if (signal.aborted) return;
  const consumer = new Consumer(parts, prefetch, signal, alive);
  try {
    yield* consumer.deliveries();
  } finally {
    await consumer.leave();
  }
}

class Consumer {
  readonly #parts: ConsumerParts;
  readonly #name = randomUUID();
  readonly #prefetch: number;
  readonly #signal: AbortSignal;
  readonly #alive: (() => void) | undefined;
  readonly #settler: Settler;
  readonly #link: Link;
  /** By their entries. */
  readonly #held = new Map<string, Held>();
  /** Called when a place is free. */
  #freed: (() => void) | undefined;
  /** Messages may have been handed out that never arrived, as the connection was lost. */
  #mayHoldMore = false;
  #lookedAt = 0;
  #searchedAt = 0;
  #trimmedAt = performance.now();
  #dueAt = 0;

  constructor(parts: ConsumerParts, prefetch: number, signal: AbortSignal, alive: (() => void) | undefined) {
    this.#parts = parts;
    this.#prefetch = prefetch;
    this.#signal = signal;
    this.#alive = alive;
    const { commands, keys, group, leaseMs, maxDead } = parts;
    const { stream } = keys;
    this.#settler = new Settler(commands, { stream, group, consumer: this.#name, leaseMs, maxDead });
    this.#link = parts.open(() => {
      this.#mayHoldMore = true;
    });
  }

  async *deliveries(): AsyncGenerator<Delivery, void, undefined> {
    let isBusy = true;
    while (!this.#signal.aborted) {
      this.#dropLost(performance.now());
      const places = this.#prefetch - this.#held.size;
      if (places <= 0) {
        await this.#untilFree();
        continue;
      }
      const mustLook: boolean = isBusy || this.#mayHoldMore || performance.now() >= this.#nextLookAt;
      const messages: readonly Fetched[] = mustLook ? await this.#look(places) : await this.#wait(places);
      this.#alive?.();
      isBusy = messages.length >= places || (mustLook && messages.length > 0);
      for (const message of messages) {
        if (this.#signal.aborted) return;
        yield this.#hold(message);
      }
    }
  }

  /** What was not handed to the caller goes back uncharged; what was, stays until its lease ends. */
  async leave(): Promise<void> {
    const { commands, keys, group, close } = this.#parts;
    close(this.#link);
    try {
      // Also what the server has handed out while the connection ended
      this.#mayHoldMore = true;
      const orphans = await this.#look(0);
      await Promise.all(orphans.map(message => this.#settler.nack(message, { charge: false })));
      if (this.#held.size === 0) await commands.script(leaveScript, [keys.stream, group, this.#name]);
    } catch {
      // Then others have them when their lease is over
    }
  }

  get #nextLookAt(): number {
    const searchAt = this.#searchedAt + this.#parts.leaseMs / searchesPerLease;
    return Math.min(this.#dueAt, searchAt, this.#lookedAt + lookMs);
  }

  #hold(message: Fetched): Delivery {
    const held: Held = new Held(message, this.#settler, this.#parts.leaseMs, () => this.#drop(held));
    this.#held.set(message.entry, held);
    return held;
  }

  #drop(held: Held): void {
    // After its lease has ended, the same entry may be here again
    if (this.#held.get(held.entry) === held) this.#held.delete(held.entry);
    this.#freed?.();
  }

  /** Those that nobody has settled or extended in time are in other hands, or soon. */
  #dropLost(now: number): void {
    for (const held of this.#held.values()) {
      if (held.endsAt <= now) this.#drop(held);
    }
  }

  /** Until a delivery is settled, or has lost its lease. */
  async #untilFree(): Promise<void> {
    const wake = new AbortController();
    this.#freed = () => wake.abort();
    const unlink = onAbort(this.#signal, () => wake.abort());
    await backgroundClock.sleep(this.#parts.leaseMs / searchesPerLease, wake.signal).catch(() => {});
    unlink();
    this.#freed = undefined;
    this.#alive?.();
  }

  /** One script: what is due, what is lost, what is new. */
  async #look(places: number): Promise<readonly Fetched[]> {
    const { keys, group, leaseMs, commands } = this.#parts;
    const now = performance.now();
    const searches = now >= this.#searchedAt + leaseMs / searchesPerLease;
    const again = this.#mayHoldMore;
    const known = again ? [...this.#held.keys()] : [];
    const args = [keys.stream, group, this.#name, places, leaseMs, searches ? 1 : 0, again ? 1 : 0];
    const reply = await this.#asked(commands.script(fetchScript, [...args, ...known], { asBytes: true }));
    const [dueInMs, found] = reply as [number, RawFetched[]];
    this.#lookedAt = now;
    if (searches) this.#searchedAt = now;
    if (again) this.#mayHoldMore = false;
    this.#dueAt = dueInMs < 0 ? Infinity : performance.now() + dueInMs;
    this.#trim();
    return found.map(fetched);
  }

  /** Waits for new messages, for as long as nothing else is to be done. */
  async #wait(places: number): Promise<readonly Fetched[]> {
    const { keys, group, timeoutMs } = this.#parts;
    const ms = Math.max(1, Math.min(blockMs, Math.ceil(this.#nextLookAt - performance.now())));
    // Each of the two streams may give so many
    const count = Math.max(1, Math.floor(places / 2));
    const streams = ['STREAMS', keys.retries(group), keys.stream, '>', '>'];
    const reading = this.#link.call({
      command: 'XREADGROUP',
      args: ['GROUP', group, this.#name, 'COUNT', count, 'BLOCK', ms, ...streams],
      asBytes: true,
      outcome: 'Unknown',
      timeoutMs: ms + timeoutMs,
    });
    const reply = (await this.#asked(this.#untilAborted(reading))) as
      | [Buffer, [Buffer, RawFields][]][]
      | null;
    return (reply ?? []).flatMap(([stream, entries]) => {
      // With the key prefix of the client
      const isRetry = !String(stream).endsWith(keys.stream);
      return entries.map(([entry, fields]) => fetchedNew(isRetry, entry, fields));
    });
  }

  async #untilAborted(reading: Promise<unknown>): Promise<unknown> {
    const stop = () => this.#link.abort();
    this.#signal.addEventListener('abort', stop, { once: true });
    try {
      return await reading;
    } catch (error) {
      if (this.#signal.aborted) return null;
      throw error;
    } finally {
      this.#signal.removeEventListener('abort', stop);
    }
  }

  /** Waits out what a reconnect may mend; throws when the group is gone. */
  async #asked(work: Promise<unknown>): Promise<unknown> {
    try {
      return await work;
    } catch (error) {
      const { topic, group } = this.#parts;
      if (replyCode((error as Error).cause) === 'NOGROUP')
        throw new GroupGoneError(topic, group, { cause: error });
      throw error;
    }
  }

  #trim(): void {
    const { keys, commands } = this.#parts;
    if (performance.now() < this.#trimmedAt + trimMs) return;
    this.#trimmedAt = performance.now();
    commands.script(trimScript, [keys.stream]).catch(() => {}); // The next one does it
  }
}

class Held implements Delivery {
  /** When its lease ends unless it is extended, by the clock of this process. */
  endsAt: number;
  readonly #message: Fetched;
  readonly #settler: Settler;
  readonly #leaseMs: number;
  readonly #done: () => void;
  #isSettled = false;

  constructor(message: Fetched, settler: Settler, leaseMs: number, done: () => void) {
    this.#message = message;
    this.#settler = settler;
    this.#leaseMs = leaseMs;
    this.#done = done;
    this.endsAt = performance.now() + leaseMs;
  }

  get entry(): string {
    return this.#message.entry;
  }

  get id(): string {
    return this.#message.id;
  }

  get body(): Uint8Array {
    return this.#message.body;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#message.headers;
  }

  get key(): string | undefined {
    return this.#message.key;
  }

  get deliveries(): number {
    return this.#message.deliveries + this.#message.count;
  }

  get failures(): number {
    return this.#message.failures;
  }

  ack(): Promise<void> {
    return this.#settle(() => this.#settler.ack(this.#message));
  }

  nack(options: NackOptions): Promise<void> {
    return this.#settle(() => this.#settler.nack(this.#message, options));
  }

  async extend(ms: number): Promise<void> {
    if (this.#isSettled) return;
    const sentAt = performance.now();
    await this.#settler.extend(this.#message, ms);
    this.endsAt = sentAt + Math.min(ms, this.#leaseMs);
  }

  async #settle(how: () => Promise<void>): Promise<void> {
    if (this.#isSettled) return;
    try {
      await how();
      this.#isSettled = true;
      this.#done();
    } catch (error) {
      if (error instanceof DeliveryLostError) this.#done();
      throw error;
    }
  }
}
