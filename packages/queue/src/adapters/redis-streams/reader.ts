import { type Commands, type Link, replyCode } from '@ashlar/store/redis-connection';
import { GroupGoneError } from '../../errors.ts';
import type { TopicKeys } from './keys.ts';
import { expiredScript } from './scripts/fetch.ts';
import { Fetched, type RawEntry } from './wire.ts';

interface ReaderParts {
  readonly topic: string;
  readonly group: string;
  readonly keys: TopicKeys;
  readonly timeoutMs: number;
  readonly commands: Commands;
  /** Of `commands`. */
  readonly link: Link;
}

/** Redis before 7.0.8 takes shorter times for none. */
const shortestBlockMs = 10;

/** Reads what is new for a consumer, and waits for it on a connection of its own. */
export class StreamReader {
  readonly #parts: ReaderParts;
  readonly #consumer: string;
  readonly #waiting: Link;
  #isOver = false;
  #stop: (() => void) | undefined;

  /** @param waiting the connection that waits */
  constructor(parts: ReaderParts, consumer: string, waiting: Link) {
    this.#parts = parts;
    this.#consumer = consumer;
    this.#waiting = waiting;
  }

  /** It waits for nothing any more: what the server hands out nevertheless is found when the consumer leaves. */
  stop(): void {
    this.#isOver = true;
    this.#stop?.();
  }

  /** New messages; waits for them so long. */
  wait(places: number, ms: number): Promise<readonly Fetched[]> {
    const { keys, group } = this.#parts;
    // Each of the two streams may give so many
    const count = Math.max(1, Math.floor(places / 2));
    const how = ['COUNT', count, 'BLOCK', ms, 'STREAMS', keys.retries(group), keys.stream, '>', '>'];
    return this.#read(this.#waiting, how, ms);
  }

  /** Whether there may be something for a consumer that shares by keys; waits so long for that. */
  async rings(waitsMs: number): Promise<boolean> {
    const { keys, group, timeoutMs } = this.#parts;
    const ms = Math.max(shortestBlockMs, waitsMs);
    const waiting = this.#waiting.call({
      command: 'BZPOPMIN',
      args: [keys.bell(group), ms / 1_000],
      asBytes: false,
      outcome: 'Unknown',
      timeoutMs: ms + timeoutMs,
    });
    return (await this.asked(this.#untilStopped(waiting))) !== null;
  }

  /** What is new, without a wait, and after all commands before it. */
  take(places: number): Promise<readonly Fetched[]> {
    const { link, keys } = this.#parts;
    return this.#read(link, ['COUNT', places, 'STREAMS', keys.stream, '>'], 0);
  }

  /** What was asked of the group. @throws GroupGoneError when it was deleted */
  async asked(work: Promise<unknown>): Promise<unknown> {
    try {
      return await work;
    } catch (error) {
      const { topic, group } = this.#parts;
      if (isGone((error as Error).cause)) throw new GroupGoneError(topic, group, { cause: error });
      throw error;
    }
  }

  async #read(link: Link, how: readonly (string | number)[], ms: number): Promise<readonly Fetched[]> {
    const { keys, group, timeoutMs } = this.#parts;
    const reading = link.call({
      command: 'XREADGROUP',
      args: ['GROUP', group, this.#consumer, ...how],
      asBytes: true,
      outcome: 'Unknown',
      timeoutMs: ms + timeoutMs,
    });
    const reply = (await this.asked(this.#untilStopped(reading))) as [Buffer, RawEntry[]][] | null;
    const receivedAt = performance.now();
    const messages: Fetched[] = [];
    for (const [stream, entries] of reply ?? []) {
      // With the key prefix of the client
      const isRetry = !stream.toString().endsWith(keys.stream);
      for (const entry of entries) messages.push(new Fetched(isRetry, 1, entry, receivedAt));
    }
    return messages.some(({ expires }) => expires) ? this.#unexpired(messages) : messages;
  }

  async #unexpired(messages: readonly Fetched[]): Promise<readonly Fetched[]> {
    const { keys, group, commands } = this.#parts;
    const entries = messages
      .filter(({ expires }) => expires)
      .flatMap(({ isRetry, entry }) => [isRetry ? 1 : 0, entry]);
    const over = new Set(
      (await commands.script(expiredScript, [keys.stream, group, ...entries])) as string[],
    );
    return messages.filter(({ entry }) => !over.has(entry));
  }

  /** Its answer, or null. */
  #untilStopped(reading: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#stop = () => resolve(null);
      if (this.#isOver) this.#stop();
      reading.then(resolve, reject);
    });
  }
}

/** Who waits for a stream that is deleted meanwhile is told so in other words than who asks later. */
function isGone(reply: unknown): boolean {
  return replyCode(reply) === 'NOGROUP' || /\bUNBLOCKED .*no longer exists/.test(String(reply));
}
