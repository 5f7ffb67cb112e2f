import { backgroundClock } from '@ashlar/core';
import type { News } from '../../backend.ts';
import { Commands } from './commands.ts';
import type { Keys } from './keys.ts';
import { Link, type LinkOptions } from './link.ts';
import { Position } from './position.ts';
import { sweepScript } from './scripts.ts';

/** How long a reading waits for news, and how often what has expired is looked for. */
const beatMs = 250;

/** How much longer than that an answer may take; then the server counts as gone. */
const patienceMs = 500;

const entriesAtOnce = 1_000;
const sweepAtOnce = 500;

/** Between a failure and the next attempt. */
const pauseMs = 50;

type Entries = readonly (readonly [id: string, fields: readonly [name: string, key: string]])[];

/** Follows the log of changes over a connection of its own, which waits in the server for news. */
export class LogReader {
  readonly #keys: Keys;
  readonly #news: News;
  readonly #link: Link;
  readonly #commands: Commands;
  #connections = 0;
  #sweepAt = 0;
  #stopped = false;
  /** Why nothing was heard for a while. */
  #gap = 'it is not known where the log stood';

  /** `start` is where the log stood when the watch began; where that is unknown, changes were missed. */
  constructor(options: Omit<LinkOptions, 'connected'>, keys: Keys, news: News, start: Promise<Position>) {
    this.#keys = keys;
    this.#news = news;
    this.#link = new Link({
      ...options,
      connected: () => {
        this.#connections++;
      },
    });
    this.#commands = new Commands(this.#link, patienceMs);
    this.#run(start).catch(() => {}); // it ends by `stop`
  }

  stop(): void {
    this.#stopped = true;
    this.#link.abort();
  }

  async #run(start: Promise<Position>): Promise<void> {
    for (let from = await start.catch(() => undefined); !this.#stopped; from = undefined) {
      try {
        await this.#follow(from);
        this.#gap = 'the connection was lost';
      } catch (error) {
        this.#gap = error instanceof Error ? error.message : String(error);
        await backgroundClock.sleep(pauseMs);
      }
    }
  }

  /** Over one connection; throws when it is over. Without a place to begin, it begins now, and has missed the rest. */
  async #follow(from: Position | undefined): Promise<void> {
    let position = await this.#sweep(from);
    // in between there may be another connection, perhaps to a server that knows less
    for (const connection = this.#connections; connection === this.#connections; ) {
      const entries = await this.#read(position);
      if (connection !== this.#connections) return;
      position = this.#take(entries, position);
      if (performance.now() >= this.#sweepAt) position = await this.#sweep(position);
    }
  }

  async #read(position: Position): Promise<Entries> {
    const reply = await this.#link.call({
      command: 'XREAD',
      args: ['COUNT', entriesAtOnce, 'BLOCK', beatMs, 'STREAMS', this.#keys.log, position.id],
      asBytes: false,
      outcome: 'NotExecuted',
      timeoutMs: beatMs + patienceMs,
    });
    return (reply as readonly (readonly [string, Entries])[] | null)?.[0]?.[1] ?? [];
  }

  #take(entries: Entries, from: Position): Position {
    let position = from;
    for (const [id, [, key]] of entries) {
      const at = Position.of(id);
      if (!position.isBefore(at)) continue;
      if (!position.isFollowedBy(at)) this.#missed('the log was trimmed, or lost');
      position = at;
      if (!this.#stopped) this.#news.changed(key);
    }
    return position;
  }

  /** Has what expired told, and gives where to go on: where we are, unless the log is another one by now. */
  async #sweep(position: Position | undefined): Promise<Position> {
    const reply = await this.#commands.script(sweepScript, [...this.#keys.common, sweepAtOnce]);
    const [due, epoch, seq] = reply as [number, string | null, string | null];
    this.#sweepAt = due < sweepAtOnce ? performance.now() + beatMs : 0;
    const end = new Position(epoch, seq);
    if (position !== undefined && !end.contradicts(position)) return position;
    this.#missed(position === undefined ? this.#gap : 'the log was lost');
    return end;
  }

  #missed(reason: string): void {
    if (!this.#stopped) this.#news.missed(reason);
  }
}
