import { AshlarError, systemClock } from '@ashlar/core';
import { type ManagedStore, StoreClosedError } from '../../src/index.ts';
import type { Call, Plan, Step } from '../plan/plan.ts';
import type { Site, Stage, Wrap } from '../sites/site.ts';
import { aboutClaims } from '../verdict/claims.ts';
import { aboutFailures } from '../verdict/failures.ts';
import { aboutValues } from '../verdict/values.ts';
import { made, Sight } from './calls.ts';
import { Follower } from './follower.ts';
import type { Done, Result } from './history.ts';

export interface PlayOptions {
  readonly wrap?: Wrap;
  /** What never ends is given up after so long; nothing that ends needs it. Default: 25 000. */
  readonly patienceMs?: number;
}

/** A step does not wait longer for its calls: they may have to wait for `calm`. */
const stepMs = 150;

/** Plays a case and says what breaks a promise; nothing when all is well. */
export async function play(site: Site, plan: Plan, options: PlayOptions = {}): Promise<string[]> {
  const stage = await site.begin(plan.stores);
  const player = new Player(stage, plan, options);
  try {
    await player.perform();
  } finally {
    await player.close();
    await stage.end();
  }
  return player.complaints;
}

class Player {
  readonly complaints: string[] = [];
  readonly #stage: Stage;
  readonly #patienceMs: number;
  readonly #plan: Plan;
  readonly #stores: readonly ManagedStore[];
  readonly #history: Done[] = [];
  readonly #followers = new Map<number, Follower>();
  readonly #closed = new Map<number, Promise<void>>();
  readonly #sight = new Sight();
  readonly #underWay: Promise<unknown>[] = [];
  #isTroubled = false;
  #isAllClosed = false;

  constructor(stage: Stage, plan: Plan, { wrap = store => store, patienceMs = 25_000 }: PlayOptions) {
    this.#stage = stage;
    this.#patienceMs = patienceMs;
    this.#plan = plan;
    this.#stores = stage.stores.map(wrap);
  }

  async perform(): Promise<void> {
    const of = <T extends { readonly store: number }>(each: T): T => ({
      ...each,
      store: each.store % this.#stores.length,
    });
    for (const step of this.#plan.steps) {
      if (step.step === 'calls') await this.#step({ ...step, calls: step.calls.map(of) });
      else await this.#step('store' in step ? of(step) : step);
    }
    await this.#calm();
    const all = this.#stores.map((_, store): Call => ({ store, op: 'list', prefix: '' }));
    await this.#calls(all);
    await this.#readersAgree();
  }

  async close(): Promise<void> {
    for (const follower of this.#followers.values()) {
      if (!(await this.#settles(follower.stop()))) this.complaints.push('follow: it did not end');
    }
    for (const index of this.#stores.keys()) this.#close(index);
    for (const closing of this.#closed.values()) {
      if (!(await this.#settles(closing))) this.complaints.push('close: it never settled');
    }
    for (const store of this.#stores) await this.#refuses(store);
    this.complaints.push(
      ...aboutFailures(this.#history),
      ...aboutValues(this.#history),
      ...aboutClaims(this.#history),
    );
    const left = await this.#untilNothing(() => this.#stage.leftovers());
    this.complaints.push(...left.map(each => `left behind: ${each}`));
  }

  async #step(step: Step): Promise<void> {
    switch (step.step) {
      case 'calls':
        return this.#calls(step.calls, step.trouble);
      case 'calm':
        return this.#calm();
      case 'wait':
        return pause(step.ms);
      case 'watch': {
        await this.#unwatch(step.store);
        if (this.#isClosed(step.store)) return;
        this.#followers.set(step.store, new Follower(this.#stores[step.store]!, step.prefix));
        return;
      }
      case 'unwatch':
        return this.#unwatch(step.store);
      case 'close':
        return this.#close(step.store);
    }
  }

  async #calls(calls: readonly Call[], trouble?: string): Promise<void> {
    const under = calls.map(call => this.#call(call, trouble !== undefined));
    if (trouble !== undefined) {
      this.#isTroubled = true;
      const { closes } = await this.#stage.trouble(trouble);
      this.#isAllClosed ||= closes;
    }
    const all = Promise.all(under);
    this.#underWay.push(all);
    await Promise.race([all, pause(stepMs)]);
  }

  async #call(call: Call, isTroubledSoon: boolean): Promise<void> {
    const isTroubled = isTroubledSoon || this.#isTroubled;
    const sent = this.#sight.sentBy(call);
    if (sent === undefined) return;
    const sentAt = performance.now();
    const attempt = (async () => made(this.#stores[call.store]!, call, sent, this.#sight))();
    const result = await this.#within(attempt.catch((error: unknown): Result => ({ error })));
    this.#history.push({
      call,
      sent,
      sentAt,
      endedAt: performance.now(),
      mayFail: isTroubled || this.#isTroubled || !this.#stage.allows(call.store, call),
      isClosed: this.#isClosed(call.store),
      isImpatient: this.#plan.stores[call.store]!.patience === 'impatient',
      result: result ?? { unsettled: true },
    });
  }

  #isClosed(store: number): boolean {
    return this.#isAllClosed || this.#closed.has(store);
  }

  async #unwatch(store: number): Promise<void> {
    const follower = this.#followers.get(store);
    this.#followers.delete(store);
    if (follower !== undefined && !(await this.#settles(follower.stop()))) {
      this.complaints.push('follow: it did not end when its signal aborted');
    }
  }

  #close(index: number): void {
    if (this.#closed.has(index)) return;
    const closing = this.#stores[index]!.close();
    closing.catch((error: unknown) => this.complaints.push(`close: it rejected with ${error}`));
    this.#closed.set(index, closing);
  }

  /** Ends the trouble, and waits until every connection that a store may use answers. */
  async #calm(): Promise<void> {
    await this.#stage.calm();
    await Promise.all(this.#underWay.splice(0));
    if (this.#isTroubled) {
      for (const [index, store] of this.#stores.entries()) {
        if (this.#isClosed(index) || !this.#stage.allows(index, { store: index, op: 'get', key: 'a' }))
          continue;
        const all = () => Promise.all(Array.from({ length: this.#stage.width(index) }, () => store.get('a')));
        const error = await this.#untilItWorks(all);
        if (error !== undefined) this.complaints.push(`calm: it did not come back: ${error}`);
      }
    }
    this.#isTroubled = false;
  }

  async #readersAgree(): Promise<void> {
    for (const [store, follower] of this.#followers) {
      if (!this.#stage.allows(store, { store, op: 'list', prefix: '' })) continue;
      if (follower.failure !== undefined) {
        const isMeant = this.#isClosed(store) && follower.failure instanceof StoreClosedError;
        if (!isMeant) this.complaints.push(`follow: it ended with ${follower.failure}`);
      } else if (!this.#isClosed(store)) {
        let difference: string | undefined;
        const left = await this.#untilNothing(async () => {
          difference = await follower.difference().catch((error: unknown) => String(error));
          return difference === undefined ? [] : [difference];
        });
        this.complaints.push(...left.map(each => `follow: ${each}`));
      }
    }
  }

  async #refuses(store: ManagedStore): Promise<void> {
    const error: unknown = await store.get('a').then(
      () => 'nothing',
      (reason: unknown) => reason,
    );
    if (error instanceof StoreClosedError && error instanceof AshlarError) return;
    this.complaints.push(`close: a later call rejected with ${error}`);
  }

  /** Undefined when it is not settled in time. */
  async #within<T>(work: Promise<T>): Promise<T | undefined> {
    const end = new AbortController();
    const late = systemClock.sleep(this.#patienceMs, end.signal).catch(() => {});
    try {
      return (await Promise.race([work, late])) as T | undefined;
    } finally {
      end.abort();
    }
  }

  async #settles(work: Promise<unknown>): Promise<boolean> {
    const settled = work.then(
      () => true,
      () => true,
    );
    return (await this.#within(settled)) ?? false;
  }

  async #untilNothing(look: () => Promise<readonly string[]>): Promise<readonly string[]> {
    for (const until = performance.now() + this.#patienceMs; ; ) {
      const found = await look();
      if (found.length === 0 || performance.now() > until) return found;
      await pause(20);
    }
  }

  async #untilItWorks(attempt: () => Promise<unknown>): Promise<unknown> {
    let failure: unknown;
    const failures = async () => {
      failure = await attempt().then(
        () => undefined,
        (error: unknown) => error,
      );
      return failure === undefined ? [] : ['failed'];
    };
    await this.#untilNothing(failures);
    return failure;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
