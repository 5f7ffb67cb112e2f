import { Backoff, backgroundClock } from '@ashlar/core';
import type { ChangeListener } from '../../backend.ts';
import { Commands } from '../redis-connection/commands.ts';
import { Link, type LinkOptions } from '../redis-connection/link.ts';
import { isForbidden, isRefusal } from '../redis-connection/replies.ts';
import type { Keys } from './keys.ts';
import { Position } from './position.ts';
import { sweepScript } from './scripts.ts';

/** How long a read waits for changes, and how often the log is swept for what has expired. */
const beatMs = 250;

/** How much longer than that an answer may take; then the server counts as gone. */
const patienceMs = 500;

const entriesAtOnce = 1_000;
const sweepAtOnce = 500;

/** The pauses between a failure and the next attempt. */
const pauses = { firstMs: 50, maxMs: 5_000 };

type Entries = readonly (readonly [id: string, fields: readonly [name: string, key: string]])[];

export interface LogReaderOptions extends Omit<LinkOptions, 'connected'> {
  readonly keys: Keys;
  readonly listener: ChangeListener;
  /** The end of the log when the watch began; where that is unknown, changes were missed. */
  readonly start: Promise<Position>;
  /** The server does not allow what a watch needs. */
  forbidden(reason: string): void;
}

/** Follows the log of changes over a connection of its own, which waits in the server for changes. */
export class LogReader {
  readonly #options: LogReaderOptions;
  readonly #link: Link;
  readonly #commands: Commands;
  readonly #backoff: Backoff;
  #connections = 0;
  #sweepAt = 0;
  #stopped = false;
  /** Why changes may have been missed. */
  #gap = 'the end of the log was not known';

  constructor(options: LogReaderOptions) {
    const { keys: _keys, listener: _listener, start: _start, forbidden: _forbidden, ...own } = options;
    this.#options = options;
    this.#backoff = new Backoff(pauses, options.random);
    this.#link = new Link({
      ...own,
      connected: () => {
        this.#connections++;
      },
    });
    this.#commands = new Commands(this.#link, patienceMs);
    this.#run().catch(() => {}); // It ends by `stop`
  }

  stop(): void {
    this.#stopped = true;
    this.#link.abort();
  }

  async #run(): Promise<void> {
    const { start, forbidden, clock = backgroundClock } = this.#options;
    for (let from = await start.catch(() => undefined); !this.#stopped; from = undefined) {
      try {
        await this.#follow(from);
        this.#gap = 'the connection was lost';
      } catch (error) {
        if (this.#stopped) return;
        this.#gap = error instanceof Error ? error.message : String(error);
        if (isForbidden((error as Error).cause)) forbidden(this.#gap);
        await clock.sleep(this.#backoff.nextMs());
      }
    }
  }

  /** Over one connection; throws when that has ended. Without a position it begins at the end, and has missed the rest. */
  async #follow(from: Position | undefined): Promise<void> {
    let position = await this.#sweep(from);
    // The next connection may lead to a server that knows less
    for (const connection = this.#connections; connection === this.#connections; ) {
      const entries = await this.#read(position);
      this.#backoff.reset();
      if (connection !== this.#connections) return;
      position = this.#take(entries, position);
      if (performance.now() >= this.#sweepAt) position = await this.#sweep(position);
    }
  }

  async #read(position: Position): Promise<Entries> {
    const { log } = this.#options.keys;
    const reply = await this.#link.call({
      command: 'XREAD',
      args: ['COUNT', entriesAtOnce, 'BLOCK', beatMs, 'STREAMS', log, position.id],
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
      if (!this.#stopped) this.#options.listener.changed(key);
    }
    return position;
  }

  /** Logs what has expired, and returns where to read on: at the position, unless the log is another one by now. */
  async #sweep(position: Position | undefined): Promise<Position> {
    const reply = await this.#commands
      .script(sweepScript, [...this.#options.keys.common, sweepAtOnce])
      .catch((error: Error) => {
        // It may stay so, and readers must not wait in vain for what has expired
        if (isRefusal(error.cause)) this.#missed(error.message);
        throw error;
      });
    const [due, epoch, seq] = reply as [number, string | null, string | null];
    this.#sweepAt = due < sweepAtOnce ? performance.now() + beatMs : 0;
    const end = new Position(epoch, seq);
    if (position !== undefined && !end.contradicts(position)) return position;
    this.#missed(position === undefined ? this.#gap : 'the log was lost');
    return end;
  }

  #missed(reason: string): void {
    if (!this.#stopped) this.#options.listener.missed(reason);
  }
}
