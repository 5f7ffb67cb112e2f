import type { News } from '../../backend.ts';
import { backgroundClock } from '../../background-clock.ts';
import type { Connections } from './connections.ts';
import { Listener } from './listener.ts';
import type { Statements } from './statements.ts';
import type { Table } from './table.ts';

/** Between two attempts to listen. */
const againMs = 200;

/** Tells what changes in the table for as long as it is wanted, on one connection after the other. */
export class Feed {
  /** Resolves when the first attempt to listen has succeeded or failed. */
  readonly tried: Promise<void>;
  #isTried = false;
  readonly #connections: Connections;
  readonly #statements: Statements;
  readonly #table: Table;
  readonly #news: News;
  readonly #stop = new AbortController();

  /** `connections` reach the server itself, where a session keeps its connection. */
  constructor(connections: Connections, statements: Statements, table: Table, news: News) {
    this.#connections = connections;
    this.#statements = statements;
    this.#table = table;
    this.#news = news;
    this.tried = new Promise(resolve => {
      this.#follow(() => {
        this.#isTried = true;
        resolve();
      }).catch(() => {}); // it ends with the signal
    });
  }

  get isTried(): boolean {
    return this.#isTried;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #follow(tried: () => void): Promise<void> {
    const { signal } = this.#stop;
    for (let missed: string | undefined; !signal.aborted; ) {
      try {
        const listener = await Listener.begin(this.#connections, this.#statements, this.#table, this.#news);
        try {
          if (missed !== undefined && !signal.aborted) this.#news.missed(missed);
          tried();
          await listener.follow(signal);
        } finally {
          listener.end();
        }
      } catch (error) {
        missed = error instanceof Error ? error.message : String(error);
      }
      tried();
      await backgroundClock.sleep(againMs, signal);
    }
  }
}
