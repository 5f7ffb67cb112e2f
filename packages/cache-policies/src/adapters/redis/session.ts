import { Backoff } from '@ashlar/core';
import { Link } from '@ashlar/store/redis-connection';
import { ChangeFeed } from '../../tiers/change-feed.ts';
import { TierUnfitError } from '../../tiers/errors.ts';
import type { TierListener, TierSession, TierSessionSnapshot } from '../../tiers/remote-tier.ts';
import { Collector } from './collector.ts';
import { linkOptions, RedisOperations, unavailable } from './operations.ts';
import type { RedisTierSettings } from './settings.ts';
import { publishedChanges, type Subscription } from './subscription.ts';
import { TrackedChanges } from './tracking.ts';
import { orUnfit } from './unfit.ts';

/** Checks within the bound. Local values are served as long as one of them succeeds in time. */
const checksPerBound = 4;
/** The longest pause after the first failed check; it grows up to the time between two checks. */
const firstRetryMs = 20;

/** One connection for operations, and one that is subscribed to changes. */
export class RedisSession extends RedisOperations implements TierSession {
  readonly boundMs: number;
  readonly #settings: RedisTierSettings;
  readonly #feed: ChangeFeed;
  readonly #subscription: Subscription;
  readonly #subscriber: Link;
  readonly #backoff: Backoff;
  /** In a cluster, the node that the subscribed connection leads to. */
  #subscribedNode: string | undefined;
  /** Set while the server refuses a command that the settings need. */
  #refusal: TierUnfitError | undefined;
  /** Ends the pause before the next check, when a connection is lost. */
  #pause = new AbortController();

  constructor(settings: RedisTierSettings, listener: TierListener) {
    super(settings);
    const { boundMs, invalidation } = settings;
    this.#settings = settings;
    this.boundMs = boundMs;
    this.#backoff = new Backoff({ firstMs: firstRetryMs, maxMs: boundMs / checksPerBound });
    const feed = new ChangeFeed(this.id, boundMs, listener);
    this.#feed = feed;
    const tracked = {
      root: async () => (await this.position()).root,
      tracking: (args: readonly string[]) => orUnfit(settings, this.tracking(args)),
    };
    this.#subscription =
      invalidation === 'pubsub'
        ? publishedChanges(this.channel, feed)
        : new TrackedChanges(feed, tracked, () => this.#caughtUp());
    this.#subscriber = new Link({
      ...linkOptions(settings),
      prepare: client => {
        this.#subscribedNode = client.node;
        return orUnfit(settings, this.#subscription.listen(client));
      },
      disconnected: cause => this.lost(cause),
    });
    void this.#watch();
  }

  get confirmedUntil(): number {
    return this.#feed.confirmedUntil;
  }

  snapshot(): TierSessionSnapshot & Pick<RedisTierSettings, 'prefix' | 'invalidation'> {
    const { tier, prefix, invalidation } = this.#settings;
    const { connected, sequence } = this.#feed;
    return { tier, prefix, invalidation, connected, sequence };
  }

  override async close(signal?: AbortSignal): Promise<void> {
    if (this.ending.aborted) return;
    const closed = super.close(signal);
    this.#pause.abort();
    this.#feed.confirmedUntil = Number.NEGATIVE_INFINITY;
    this.#subscriber.abort();
    await closed;
  }

  protected override lost(cause: unknown): void {
    if (this.ending.aborted) return;
    this.#feed.disconnected(unavailable(cause, 'NotExecuted'));
    this.#pause.abort();
  }

  protected override assertFit(): void {
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  /** Checks until `close` that no change was missed. */
  async #watch(): Promise<void> {
    const { clock } = this.#settings;
    const collector = new Collector(() => this.collect(), clock, this.ending);
    const check = {
      now: () => clock.now(),
      begin: () => this.#begin(),
      ask: async () => {
        const position = await orUnfit(this.#settings, this.position());
        if (position.hasDead) collector.wake();
        return position;
      },
      caughtUp: () => this.#caughtUp(),
    };
    while (!this.ending.aborted) {
      this.#pause = new AbortController();
      const pauseMs = await this.#feed.check(check).then(
        () => this.#checked(undefined),
        error => this.#checked(error),
      );
      await clock.sleep(pauseMs, this.#pause.signal).catch(() => {});
    }
  }

  /**
   * Messages and answers have one order on one server alone: in a cluster both connections must lead to the same node. Where
   * the keys have moved between the first and the second, the second is opened anew.
   */
  async #begin(): Promise<void> {
    await orUnfit(this.#settings, this.position());
    await this.#caughtUp();
    if (this.node !== this.#subscribedNode) {
      const error = unavailable(new Error(`the keys have moved to the node ${this.node}`), 'NotExecuted');
      this.#subscriber.reconnect(error);
      throw error;
    }
    await this.#subscription.begin();
  }

  #checked(error: unknown): number {
    this.#refusal = error instanceof TierUnfitError ? error : undefined;
    if (this.#refusal !== undefined) this.#feed.disconnected(this.#refusal);
    const everyMs = this.boundMs / checksPerBound;
    if (error !== undefined) return this.#refusal === undefined ? this.#backoff.nextMs() : everyMs;
    this.#backoff.reset();
    // from the start of the last check, which may be long ago when the process was stopped
    return Math.max(0, this.confirmedUntil - this.boundMs + everyMs - this.#settings.clock.now());
  }

  /** Resolves when all earlier messages have been received: messages and answers of a connection keep their order. */
  async #caughtUp(): Promise<void> {
    const { timeoutMs } = this.#settings;
    await this.#subscriber.call({
      command: 'ping',
      args: [],
      asBytes: false,
      outcome: 'NotExecuted',
      timeoutMs,
    });
  }
}
