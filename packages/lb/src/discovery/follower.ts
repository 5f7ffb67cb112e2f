import { describe } from '@ashlar/core';
import { channels, type DiscoveryFailedMessage } from '../diagnostics.ts';
import type { Discovery, Endpoint } from '../endpoint.ts';
import { checkedEndpoints } from '../endpoint.ts';
import { DiscoveryError } from '../errors.ts';
import { textOf } from '../util/text-of.ts';

/** `waiting`: no usable set yet. `live`: the last set is in use and more may come. */
export type DiscoveryState = 'static' | 'waiting' | 'live' | 'ended' | 'failed' | 'closed';

/** Reads a discovery from `start` to its end or its close. Never throws or rejects. */
export class Follower<E extends Endpoint> {
  state: DiscoveryState = 'waiting';
  /** The latest failure: a refused set, or the error that ended the discovery. A good set clears it. */
  error: unknown;
  readonly #balancer: string;
  readonly #discovery: Discovery<E>;
  #iterator: AsyncIterator<readonly E[]> | undefined;
  readonly #onSet: (endpoints: readonly E[]) => void;
  readonly #onChange: () => void;

  /**
   * @param onSet takes a set over, or throws to refuse it
   * @param onChange the state may have changed
   */
  constructor(
    balancer: string,
    discovery: Discovery<E>,
    onSet: (endpoints: readonly E[]) => void,
    onChange: () => void,
  ) {
    this.#balancer = balancer;
    this.#discovery = discovery;
    this.#onSet = onSet;
    this.#onChange = onChange;
  }

  start(): void {
    void this.#read();
  }

  close(): void {
    if (this.state === 'closed') return;
    const over = this.state === 'ended' || this.state === 'failed';
    this.state = 'closed';
    // A generator that waits answers `return` only when it wakes, so its result is not awaited
    if (!over) void (async () => this.#iterator?.return?.())().catch(() => {});
  }

  async #read(): Promise<void> {
    try {
      const iterator = this.#discovery[Symbol.asyncIterator]();
      this.#iterator = iterator;
      for (let item = await iterator.next(); ; item = await iterator.next()) {
        if (this.state === 'closed') return;
        if (item.done) break;
        this.#take(item.value);
        this.#onChange();
      }
      const unused = this.state === 'waiting';
      this.state = 'ended';
      if (unused)
        this.#fail(
          'ended',
          this.error ?? new DiscoveryError(`discovery of ${this.#balancer} ended without a set`),
        );
    } catch (error) {
      if ((this.state as DiscoveryState) === 'closed') return;
      this.state = 'failed';
      this.#fail('threw', error);
    }
    this.#onChange();
  }

  #take(endpoints: readonly E[]): void {
    try {
      this.#onSet(usable(endpoints));
      this.state = 'live';
      this.error = undefined;
    } catch (cause) {
      const message = `discovery of ${this.#balancer} delivered an unusable set: ${textOf(cause)}`;
      this.#fail('refused', new DiscoveryError(message, { cause }));
    }
  }

  #fail(reason: DiscoveryFailedMessage['reason'], error: unknown): void {
    this.error = error;
    if (!channels.discoveryFailed.hasSubscribers) return;
    channels.discoveryFailed.publish({ balancer: this.#balancer, reason, error });
  }
}

function usable<E extends Endpoint>(endpoints: readonly E[]): E[] {
  if (typeof endpoints === 'string' || typeof endpoints?.[Symbol.iterator] !== 'function') {
    throw new DiscoveryError(`a set must be a list of endpoints, got ${describe(endpoints)}`);
  }
  const checked = checkedEndpoints(endpoints);
  if (checked.length === 0) throw new DiscoveryError('it is empty');
  return checked;
}
