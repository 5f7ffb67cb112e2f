import { ChangeFeed, type Position } from '../../src/tiers/change-feed.ts';

const boundMs = 20;

/** What may happen between a server and a session of two connections, one moment after another. */
export const happenings = [
  'subscription lost',
  'subscription back',
  'operations lost',
  'operations back',
  'change',
  'emptied',
  'message',
  'check goes on',
  'check fails',
  'read',
] as const;

export type Happening = (typeof happenings)[number];

/** A server with one value, and a session that keeps it locally as its feed lets it. */
export class FeedWorld {
  readonly #feed: ChangeFeed;
  #now = 0;
  #epoch = 1;
  #sequence = 0;
  /** The version of the value, and since when. */
  #changes: { readonly version: number; readonly at: number }[] = [];
  #wire: string[] = [];
  #isSubscribed = true;
  #isOperating = true;
  #local: number | undefined;
  /** The step of the check that waits for the server. */
  #step: { readonly name: 'begin' | 'ask' | 'caughtUp'; go(): void; fail(): void } | undefined;

  constructor() {
    this.#feed = new ChangeFeed('own', boundMs, {
      invalidated: () => {
        this.#local = undefined;
      },
      reset: () => {
        this.#local = undefined;
      },
      connection() {},
    });
    void this.#watch();
  }

  get connected(): boolean {
    return this.#feed.connected;
  }

  /** Versions behind the newest one from before the bound, of a local value that may be served; 0 when there is none. */
  get behind(): number {
    if (this.#local === undefined || this.#now > this.#feed.confirmedUntil) return 0;
    const due = this.#changes.filter(({ at }) => at < this.#now - boundMs).length;
    return Math.max(0, due - this.#local);
  }

  async happens(what: Happening): Promise<void> {
    this.#now++;
    this.#does[what]();
    for (let i = 0; i < 12; i++) await undefined;
  }

  /** Time passes, and nothing else. */
  pass(ms: number): void {
    this.#now += ms;
  }

  readonly #does: Readonly<Record<Happening, () => void>> = {
    'subscription lost': () => {
      if (!this.#isSubscribed) return;
      this.#isSubscribed = false;
      this.#wire = [];
      this.#feed.disconnected(new Error('lost'));
      if (this.#step?.name === 'caughtUp') this.#step.fail();
    },
    'subscription back': () => {
      this.#isSubscribed = true;
    },
    'operations lost': () => {
      if (!this.#isOperating) return;
      this.#isOperating = false;
      this.#feed.disconnected(new Error('lost'));
      if (this.#step?.name === 'ask') this.#step.fail();
    },
    'operations back': () => {
      this.#isOperating = true;
    },
    change: () => {
      this.#sequence++;
      this.#changes.push({ version: this.#changes.length + 1, at: this.#now });
      this.#publish('keys', ['k']);
    },
    emptied: () => {
      this.#epoch++;
      this.#sequence = 0;
    },
    message: () => {
      const message = this.#wire.shift();
      if (message !== undefined) this.#feed.receive(message);
    },
    'check goes on': () => this.#step?.go(),
    'check fails': () => this.#step?.fail(),
    read: () => {
      if (this.#feed.connected && this.#isOperating) this.#local = this.#changes.length;
    },
  };

  #publish(kind: string, names: readonly string[]): void {
    if (!this.#isSubscribed) return;
    this.#wire.push(JSON.stringify([`e${this.#epoch}`, this.#sequence, 'other', kind, names]));
  }

  async #watch(): Promise<void> {
    const check = {
      now: () => this.#now,
      begin: () =>
        this.#waits(
          'begin',
          () => true,
          () => {},
        ),
      ask: () => {
        const answer = (): Position => ({ epoch: `e${this.#epoch}`, sequence: this.#sequence });
        return this.#waits('ask', () => this.#isOperating, answer);
      },
      caughtUp: () =>
        this.#waits(
          'caughtUp',
          () => this.#isSubscribed,
          () => {
            for (const message of this.#wire.splice(0)) this.#feed.receive(message);
          },
        ),
    };
    for (;;) {
      await this.#feed.check(check).catch(() => {});
      await this.#waits(
        'begin',
        () => true,
        () => {},
      ).catch(() => {}); // the pause
    }
  }

  #waits<T>(name: 'begin' | 'ask' | 'caughtUp', isPossible: () => boolean, answer: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#step = {
        name,
        go: () => {
          if (isPossible()) resolve(answer());
        },
        fail: () => reject(new Error('not answered in time')),
      };
    });
  }
}
