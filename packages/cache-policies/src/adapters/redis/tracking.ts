import type { Client } from '@ashlar/store/redis-connection';
import type { ChangeFeed } from '../../tiers/change-feed.ts';
import type { Subscription } from './subscription.ts';

/** What is needed of the connection of the operations. */
export interface Tracked {
  /** What the names of the tier begin with on the server. */
  root(): Promise<string>;
  /** `CLIENT TRACKING` with these arguments. */
  tracking(args: readonly string[]): Promise<void>;
}

const channel = '__redis__:invalidate';
const sequenceDigits = 16;

/**
 * The server tells of every key that changes below the values' prefix, whoever changed it: a session, another program,
 * the end of a time, an eviction. The connection of the operations is the one that tracks and the one that hears is where
 * it is redirected to, so tracking lasts as long as both do, and begins anew with a reset when one was replaced.
 *
 * The names of changed keys come without an order and without saying who changed them. So the scripts leave marks, keys
 * whose names carry the numbered changes; a value that changed and is in no mark was changed by somebody else. Marks and
 * values are below one prefix, so that what one script did comes in one message: the server gathers the names that change
 * until it has nothing else to do.
 *
 * NOLOOP is not used: a session hears the numbers of its own changes like all others, and knows them by their marks. (Of a
 * value that two connections change at once, the server would keep from the last one that the other had changed it too.)
 */
export class TrackedChanges implements Subscription {
  readonly #feed: ChangeFeed;
  readonly #tracked: Tracked;
  readonly #caughtUp: () => Promise<void>;
  /** The connection that hears, as the server calls it. */
  #id = '';
  #values = '';
  #marks = '';

  /** `caughtUp` waits for the connection that hears. */
  constructor(feed: ChangeFeed, tracked: Tracked, caughtUp: () => Promise<void>) {
    this.#feed = feed;
    this.#tracked = tracked;
    this.#caughtUp = caughtUp;
  }

  async listen(client: Client): Promise<void> {
    // before it subscribes, after which it may not ask any more
    this.#id = String(await client.call('client', ['id']));
    client.on('messageBuffer', (_, names) => this.#take(names as readonly Buffer[] | null));
    await client.call('subscribe', [channel]);
  }

  async begin(): Promise<void> {
    await this.#caughtUp();
    const root = await this.#tracked.root();
    this.#values = `${root}v:`;
    this.#marks = `${root}v!`;
    // where it goes on over the same connection, it must first end to be redirected
    await this.#tracked.tracking(['off']);
    await this.#tracked.tracking(['on', 'redirect', this.#id, 'bcast', 'prefix', `${root}v`]);
  }

  #take(names: readonly Buffer[] | null): void {
    if (names === null) {
      this.#feed.emptied();
      return;
    }
    const marks: string[] = [];
    const values: string[] = [];
    for (const name of names.map(String)) {
      if (name.startsWith(this.#marks)) marks.push(name.slice(this.#marks.length));
      else if (name.startsWith(this.#values)) values.push(name.slice(this.#values.length));
    }
    // they begin with their number
    const marked = new Set(marks.sort().flatMap(mark => this.#feed.receive(mark.slice(sequenceDigits))));
    this.#feed.keysChanged(values.filter(key => !marked.has(key)));
  }
}
