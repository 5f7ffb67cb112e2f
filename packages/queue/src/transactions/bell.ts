import { Backoff, backgroundClock, withDeadline } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import { QueueTimeoutError, QueueUnavailableError } from '../errors.ts';
import { keepOne, type PoolClientLike, type PoolLike } from './pool.ts';

/** How often a connection that listens is asked whether it still does, and how long it may take to answer. */
const beatMs = 1_000;
const answerMs = 1_000;
/** How often it is tried whether a notification comes through, and how long that may take. */
const trialMs = 30_000;
const heardMs = 2_000;
/** Between two notifications, where each takes long or is for many messages. */
const longestRestMs = 50;
/** For each message that a notification is for: who is woken is busy for a while, and then looks again unasked. */
const restOfMessageMs = 0.1;
/** After so many trials in a row none is heard: before, the session may have forgotten in the middle of one what it listens to. */
const mostUnheard = 3;
/** Between tries of a way that no notification comes through. */
const deafMs = 30_000;

export interface BellParts {
  /** Who listens, as diagnostics call it. */
  readonly driver: string;
  /** A name that needs no quotes. */
  readonly channel: string;
  /** Milliseconds between two notifications at least: they are for who has nothing to do. */
  readonly restMs: number;
  /** Where the connection to listen on comes from. */
  readonly pool: PoolLike;
  /** Lends it. */
  borrow(): Promise<PoolClientLike>;
  /** Runs one statement on any other connection, as a transaction of its own. */
  send(text: string, values: readonly string[]): Promise<unknown>;
}

/**
 * Wakes who waits for rows, in this process and others. It listens on one connection, which it asks all the time whether
 * it still does: a connection can die without an end, and what stands between can drop it or forget what it listens to.
 * After each new one, all are woken, as a ring may have been missed.
 */
export class Bell {
  readonly #parts: BellParts;
  readonly #stop = new AbortController();
  readonly #wakes = new Set<(topic?: string) => void>();
  #isFollowing = false;
  #leave: (() => void) | undefined;
  #unheard = 0;
  #isDeaf = false;
  #ringing: Promise<void> | undefined;
  readonly #toRing = new Set<string>();
  /** How many messages those are that are to be rung. */
  #messages = 0;

  constructor(parts: BellParts) {
    this.#parts = parts;
  }

  /** Whether it keeps a connection, or will. */
  get isListening(): boolean {
    return this.#leave !== undefined;
  }

  /** Notes that it will keep a connection, until it is closed. */
  reserve(): void {
    this.#leave ??= keepOne(this.#parts.pool);
  }

  /** Calls back whenever there may be something for the topic, until the returned function is called. */
  listen(topic: string, wake: () => void): () => void {
    const listener = (rung?: string) => {
      if (rung === undefined || rung === topic) wake();
    };
    this.#wakes.add(listener);
    if (!this.#isFollowing) {
      this.#isFollowing = true;
      this.reserve();
      this.#follow().catch(() => {}); // It ends with the signal
    }
    return () => this.#wakes.delete(listener);
  }

  /**
   * In a statement of its own, never in the transaction that publishes: a transaction that notifies takes a lock of the
   * whole server while it commits. Rings meanwhile share the next one. One that is lost, the poll makes up for.
   *
   * @param messages how many there are
   */
  ring(topic: string, messages = 1): void {
    this.#toRing.add(topic);
    this.#messages += messages;
    if (!this.#stop.signal.aborted) this.#ringing ??= this.#ringAll();
  }

  /** Resolves when what was to be rung is. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#leave?.();
    this.#leave = undefined;
    await this.#ringing;
  }

  async #ringAll(): Promise<void> {
    while (this.#toRing.size > 0) {
      const topics = [...this.#toRing];
      const busyMs = this.#messages * restOfMessageMs;
      this.#toRing.clear();
      this.#messages = 0;
      // It need not be on the disk: others would wait for that behind it
      const text = `SELECT pg_notify('${this.#parts.channel}', left(t, 2000))::text, set_config('synchronous_commit', 'off', true)
        FROM json_array_elements_text($1::text::json) AS t`;
      const rungAt = performance.now();
      await this.#parts.send(text, [JSON.stringify(topics)]).catch(() => {});
      // Where a ring takes long, more of them would take the time of what they are for
      const tookMs = performance.now() - rungAt;
      const restMs = Math.max(this.#parts.restMs, Math.min(Math.max(4 * tookMs, busyMs), longestRestMs));
      await backgroundClock.sleep(restMs, this.#stop.signal).catch(() => {});
    }
    this.#ringing = undefined;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    const backoff = new Backoff({ firstMs: 50, maxMs: 1_000 });
    while (!signal.aborted) {
      await this.#attend(() => backoff.reset()).catch(() => {});
      await backgroundClock.sleep(this.#isDeaf ? deafMs : backoff.nextMs(), signal);
    }
  }

  /** One connection, until it breaks, hears nothing, or the bell is closed. */
  async #attend(begun: () => void): Promise<void> {
    const { signal } = this.#stop;
    const { channel } = this.#parts;
    const trial = `${channel}_${crypto.randomUUID().slice(0, 8)}`;
    const client = await this.#parts.borrow();
    const broken = new AbortController();
    let heard = () => {};
    const onNotification = (about: unknown) => {
      const { channel: from, payload } = about as { readonly channel?: string; readonly payload?: string };
      if (from === trial) heard();
      else this.#wake(payload === undefined || payload.length >= 500 ? undefined : payload);
    };
    const onEnd = () => broken.abort(new QueueUnavailableError('the connection was ended', 'NotExecuted'));
    client.on('notification', onNotification);
    client.on('error', onEnd);
    client.on('end', onEnd);
    try {
      const either = AbortSignal.any([signal, broken.signal]);
      await ask(client, `LISTEN ${channel}; LISTEN "${trial}"`, either);
      this.#wake();
      for (let triedAt = -Infinity; ; ) {
        if (performance.now() >= triedAt + trialMs) {
          triedAt = performance.now();
          const coming = new Promise<void>(resolve => {
            heard = resolve;
          });
          await this.#try(trial, coming, either);
          begun();
        }
        await backgroundClock.sleep(beatMs, either);
        const { rows } = await ask(client, `SELECT count(*)::int AS n FROM pg_listening_channels()`, either);
        if (rows[0].n < 2)
          throw new QueueUnavailableError('the connection has forgotten what it listens to', 'NotExecuted');
      }
    } finally {
      client.release(true);
      client.removeListener('notification', onNotification);
      client.removeListener('end', onEnd);
      // What it still reports must not end the process
      client.on('error', () => {});
      client.removeListener('error', onEnd);
    }
  }

  /** @throws QueueTimeoutError when a notification was sent and does not come */
  async #try(trial: string, coming: Promise<void>, signal: AbortSignal): Promise<void> {
    const text = `SELECT pg_notify($1::text, '')::text, set_config('synchronous_commit', 'off', true)`;
    const isSent = await this.#parts.send(text, [trial]).then(
      () => true,
      () => false,
    );
    // The server or the pool is busy: that says nothing of the way here
    if (!isSent) return;
    const late = () => new QueueTimeoutError('a notification', heardMs);
    try {
      await withDeadline({ timeoutMs: heardMs, signal, late }, () => coming);
      this.#unheard = 0;
      this.#isDeaf = false;
    } catch (error) {
      if (error instanceof QueueTimeoutError && ++this.#unheard >= mostUnheard) this.#warn();
      throw error;
    }
  }

  #warn(): void {
    if (this.#isDeaf) return;
    this.#isDeaf = true;
    if (!channels.warning.hasSubscribers) return;
    const warning =
      'no notification comes through, as behind PgBouncer in transaction mode, so that messages are found by the poll only; ' +
      'give `listenPool` a Pool that leads to the server itself';
    channels.warning.publish({ driver: this.#parts.driver, warning });
  }

  #wake(topic?: string): void {
    for (const wake of this.#wakes) wake(topic);
  }
}

function ask(client: PoolClientLike, text: string, signal: AbortSignal): ReturnType<PoolClientLike['query']> {
  const late = () => new QueueTimeoutError('the connection that listens', answerMs);
  return withDeadline({ timeoutMs: answerMs, signal, late }, () => client.query({ text }));
}
