import type { Client } from '@ashlar/store/redis-connection';
import type { ChangeFeed } from '../../tiers/change-feed.ts';
import type { Subscription } from './subscription.ts';

/** What tracking needs of the connection of the operations. */
export interface Tracked {
  /** The prefix of the tier's names on the server. */
  root(): Promise<string>;
  /** `CLIENT TRACKING` with these arguments. */
  tracking(args: readonly string[]): Promise<void>;
}

const channel = '__redis__:invalidate';
const sequenceDigits = 16;

/**
 * The server publishes every key that changes below the values' prefix, whatever the cause: a session, another program,
 * expiry, eviction. The connection of the operations tracks, and redirects to the subscribed one. So tracking lasts as long
 * as both connections do, and begins anew with a reset when one was replaced.
 *
 * The names of changed keys come without order and without their cause. So the scripts leave marks, keys whose names carry
 * the numbered changes; a changed value that is in no mark was changed by another program. Marks and values are below one
 * prefix, so that the changes of one script come in one message: the server gathers changed names until it is idle.
 *
 * NOLOOP is not used: a session receives the numbers of its own changes like all others, and recognizes them by their
 * marks. (With NOLOOP, when two connections change a value at once, the later one would not receive the other's change.)
 */
export class TrackedChanges implements Subscription {
  readonly #feed: ChangeFeed;
  readonly #tracked: Tracked;
  readonly #caughtUp: () => Promise<void>;
  /** The server's id of the subscribed connection. */
  #id = '';
  #values = '';
  #marks = '';

  /** `caughtUp` resolves when the subscribed connection has received all earlier messages. */
  constructor(feed: ChangeFeed, tracked: Tracked, caughtUp: () => Promise<void>) {
    this.#feed = feed;
    this.#tracked = tracked;
    this.#caughtUp = caughtUp;
  }

  async listen(client: Client): Promise<void> {
    // before it subscribes, after which it may not send this command
    this.#id = String(await client.call('client', ['id']));
    client.on('messageBuffer', (_, names) => this.#take(names as readonly Buffer[] | null));
    await client.call('subscribe', [channel]);
  }

  async begin(): Promise<void> {
    await this.#caughtUp();
    const root = await this.#tracked.root();
    this.#values = `${root}v:`;
    this.#marks = `${root}v!`;
    // tracking that is already on must end before it can be redirected
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
    // marks begin with their number
    const marked = new Set(marks.sort().flatMap(mark => this.#feed.receive(mark.slice(sequenceDigits))));
    this.#feed.keysChanged(values.filter(key => !marked.has(key)));
  }
}
