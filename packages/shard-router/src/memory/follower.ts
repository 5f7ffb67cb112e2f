import type { Clock } from '@ashlar/core';
import type { RowChange } from './feed.ts';
import type { MemoryShard } from './memory-shard.ts';
import type { Moved } from './moved-rows.ts';

/** Called before each transfer between two shards in memory; the rows come when it resolves. */
export type Transport = () => Promise<void>;

/**
 * Brings what is committed on one shard to another, in order, until it is stopped. It is of the shards, as the apply worker of a
 * database is: it does not end with who has begun it.
 */
export class Follower {
  readonly from: MemoryShard;
  readonly to: MemoryShard;
  readonly #id: string;
  readonly #moved: Moved;
  readonly #transport: Transport;
  readonly #end = new AbortController();
  readonly #waiting = new Set<() => void>();
  readonly #clock: Clock;
  /** Not later than the first commit that the target does not have. */
  #behindSince: number;

  /** @param since when the feed was opened; default: now */
  constructor(
    id: string,
    from: MemoryShard,
    to: MemoryShard,
    moved: Moved,
    {
      transport,
      clock,
      since = clock.now(),
    }: { readonly transport: Transport; readonly clock: Clock; readonly since?: number },
  ) {
    this.#clock = clock;
    this.#behindSince = since;
    this.from = from;
    this.to = to;
    this.#id = id;
    this.#moved = moved;
    this.#transport = transport;
    this.#run().catch(() => {}); // It ends with `stop`
  }

  /** What the target does not have yet, in order. */
  get pending(): readonly RowChange[] {
    return this.#feed.commits.flatMap(({ changes }) => changes);
  }

  /** At most how long ago the first commit was that the target does not have, in milliseconds; 0 when it has all. */
  get lagMs(): number {
    return this.#feed.commits.length === 0 ? 0 : Math.max(1, this.#clock.now() - this.#behindSince);
  }

  /** Resolves when the target has everything. */
  caughtUp(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#feed.commits.length === 0) return resolve();
      const leave = () => {
        this.#waiting.delete(done);
        reject(signal.reason);
      };
      const done = () => {
        signal.removeEventListener('abort', leave);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** Nothing comes to the target from then on. */
  stop(): void {
    this.#end.abort();
    this.from.closeFeed(this.#id);
  }

  get #feed() {
    return this.from.openFeed(this.#id, this.#moved);
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    const feed = this.#feed;
    for (;;) {
      if (feed.commits.length === 0) {
        await feed.changed(signal);
        this.#behindSince = this.#clock.now();
      }
      await this.#transport();
      const { commits } = feed;
      const takenAt = this.#clock.now();
      const changes = commits.flatMap(commit => commit.changes);
      await this.to.apply(this.#moved, changes, signal, () => signal.throwIfAborted());
      feed.confirm(commits.at(-1)!.position);
      this.#behindSince = takenAt;
      if (feed.commits.length === 0) for (const done of [...this.#waiting]) done();
    }
  }
}
