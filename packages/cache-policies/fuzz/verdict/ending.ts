import { getEventListeners } from 'node:events';
import { sleep } from '@ashlar/core';
import { CacheClosedError } from '../../src/index.ts';
import type { Actor } from '../world/apply.ts';
import type { World } from '../world/world.ts';

const leaseMs = 10_000;

/** The most commands to the tier for each key of a call, each load, and each answer that another one has the lease. */
const commandsFor = { key: 2, load: 2, busy: 2 };

/** Lets all that was begun come to its end, and looks for what is left behind. */
export class Ending {
  readonly #world: World;
  readonly #actor: Actor;

  constructor(world: World, actor: Actor) {
    this.#world = world;
    this.#actor = actor;
  }

  async run(): Promise<void> {
    const world = this.#world;
    world.gates.isOpen = true;
    world.gates.releaseAll();
    world.tier?.comply();
    for (const session of world.tier?.sessions ?? []) session.comeBack();
    world.harm.disarm();
    await world.time.settle();
    const isHung = () => world.loads.underWay.size > 0 || world.source.hungWrites > 0;
    await this.#until(() => isHung() || world.calls.every(({ isSettled }) => isSettled));
    await this.#lastReads();
    this.#actor.observe();
    if (!isHung()) {
      await this.#idle();
      await this.#leases();
    }
    this.#commands();
    await this.#close();
    this.#nothingLeft();
  }

  /** Every cache has by now what was written last. */
  async #lastReads(): Promise<void> {
    const { members, setup, keys, loads } = this.#world;
    for (const [cache, { cache: of }] of members.entries()) {
      for (const key of setup.keys.keys()) {
        if (keys.isRefused(key) || loads.underWayOf(key, cache)) continue;
        const call = { name: 'get', cache, of, keys: [key], signal: undefined, isOdd: false };
        let isSettled = false;
        this.#world.track(
          call,
          of.get(keys.give(key)).finally(() => {
            isSettled = true;
          }),
          (value, begun) => this.#world.answered(begun, key, value),
        );
        await this.#until(() => isSettled);
        if (!isSettled) this.#world.fail('a call that never settles', `get of key ${key} at the end`);
      }
    }
  }

  async #idle(): Promise<void> {
    const { members, calls } = this.#world;
    for (const { name, keys, isSettled } of calls) {
      if (!isSettled) this.#world.fail('a call that never settles', `${name} of keys ${keys}`);
    }
    const isBusy = () => members.some(({ cache }) => cache.snapshot().loading + cache.snapshot().writing > 0);
    await this.#until(() => !isBusy());
    for (const { cache } of members) {
      const { loading, writing } = cache.snapshot();
      if (loading > 0 || writing > 0) this.#world.fail('not idle', `loading ${loading}, writing ${writing}`);
    }
  }

  /** Whoever may read any key may also have its lease; a lease that could not be given back ends in time. */
  async #leases(): Promise<void> {
    const { memory, setup, keys, time, tierFailedAt } = this.#world;
    if (memory === undefined) return;
    if (tierFailedAt > 0) await time.advance(leaseMs);
    const session = memory.open({ invalidated() {}, reset() {}, connection() {} });
    for (const key of setup.keys.keys()) {
      if (keys.isRefused(key)) continue;
      const [read] = await session.read([keys.textOf(key)], {
        leaseMs: 1,
        minFreshMs: Number.POSITIVE_INFINITY,
      });
      if (read?.busyMs !== undefined)
        this.#world.fail('a lease is left', `of key ${key}, for ${read.busyMs} ms`);
      else await session.release([{ key: keys.textOf(key), lease: read!.lease! }]);
    }
    await session.close();
  }

  /** The tier was asked for little more than what the calls and loads need. */
  #commands(): void {
    const { tier, calls, loads, tierFailedAt, wasAway } = this.#world;
    // What is owed is sent again and again
    if (tier === undefined || tierFailedAt > 0 || wasAway) return;
    const asked = calls.reduce((sum, { keys }) => sum + Math.max(1, keys.length), 0);
    const most = commandsFor.key * asked + commandsFor.load * loads.count + commandsFor.busy * tier.busy;
    if (tier.operations > most) {
      this.#world.fail(
        'many commands',
        `${tier.operations} to the tier, for ${asked} keys and ${loads.count} loads`,
      );
    }
  }

  async #close(): Promise<void> {
    const { members, memory, calls } = this.#world;
    const closed = members.map(member => this.#actor.close(member));
    await this.#until(() => closed.every(({ isDone }) => isDone));
    if (closed.some(({ isDone }) => !isDone)) this.#world.fail('close does not end', 'at the end');
    await this.#world.time.settle();
    for (const { name, keys, isSettled } of calls) {
      if (!isSettled)
        this.#world.fail('a call that never settles', `${name} of keys ${keys}, also after close`);
    }
    for (const { cache } of members) {
      const refused = await cache.get('a').catch((error: unknown) => error);
      if (!(refused instanceof CacheClosedError)) this.#world.fail('open after close', String(refused));
    }
    const sessions = memory?.snapshot().sessions ?? 0;
    if (sessions > 0) this.#world.fail('a session is left', String(sessions));
  }

  #nothingLeft(): void {
    const { time, fail } = { time: this.#world.time, fail: this.#world.fail.bind(this.#world) };
    if (time.sleeping > 0) fail('a timer is left', `${time.sleeping} sleep on`);
    for (const { signal } of this.#actor.signals) {
      const left = getEventListeners(signal, 'abort').length;
      if (left > 0) fail('a listener is left', `${left} of them on a signal`);
    }
  }

  /** Moves time on until it is so, for a while. */
  async #until(isDone: () => boolean): Promise<void> {
    const { time, gates, setup } = this.#world;
    for (let i = 0; i < 400 && !isDone(); i++) {
      gates.releaseAll();
      await time.settle();
      // The store of a journal has the machine's clock
      if (i >= 100 && setup.write === 'journal') await sleep(2);
      if (!isDone()) await time.advance(i < 100 ? 20 : 200);
    }
  }
}
