import { AshlarError } from '@ashlar/core';
import type { Store } from '@ashlar/store';
import { type Pinned, Precompute, type PrecomputeOptions } from '../../src/index.ts';
import type { Witness } from '../model/witness.ts';
import type { Behavior } from '../plan/plan.ts';
import type { Process } from './process.ts';
import { rowCount } from './rows.ts';
import type { Callbacks, Called } from './world.ts';

export interface MemberOptions {
  readonly process: Process;
  readonly store: Store;
  readonly witness: Witness;
  readonly options: Omit<
    PrecomputeOptions<string, number>,
    'store' | 'source' | 'sinks' | 'validate' | 'clock'
  >;
  callbacksOf(member: Called): Callbacks;
}

/** What a caller gives as the reason of its signal. */
export class GivenUp extends Error {}

/** The data set in one process, with what its readers have seen. */
export class Member implements Called {
  readonly process: Process;
  readonly best: Precompute<string, number>;
  /** Calls that have not ended. */
  readonly calls: Map<Promise<unknown>, string> = new Map();
  readonly #witness: Witness;
  #version = 0;
  /** Where in the order of what was served. */
  #served = 0;
  #kept: Pinned<string, number> | undefined;
  #closing: Promise<void> | undefined;

  constructor({ process, store, witness, options, callbacksOf }: MemberOptions) {
    this.process = process;
    this.#witness = witness;
    const { source, check, set } = callbacksOf(this);
    this.best = new Precompute<string, number>({
      ...options,
      store: process.store(store, witness),
      clock: process,
      source,
      validate: { check },
      sinks: [{ set }],
    });
  }

  /** In this process, and it goes on. */
  get isThere(): boolean {
    return !this.process.isDead && this.#closing === undefined;
  }

  /** Follows a call to its end, which may be an error of a type, or what its caller gave as a reason. */
  call<T>(what: string, call: Promise<T>): Promise<T | undefined> {
    const settled = call.then(
      result => result,
      (error: unknown) => {
        if (!(error instanceof AshlarError || error instanceof GivenUp))
          this.#witness.complain(`${what}: it rejects with ${error}`);
        this.#witness.failed(error);
        return undefined;
      },
    );
    this.calls.set(settled, what);
    void settled.then(() => this.calls.delete(settled));
    return settled;
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = this.best.close();
      this.#closing.catch((error: unknown) => this.#witness.complain(`close: it rejects with ${error}`));
      void this.call('close', this.#closing);
    }
    return this.#closing;
  }

  async callBack(behavior: Behavior): Promise<void> {
    const { best } = this;
    switch (behavior) {
      case 'calls refresh': {
        const controller = new AbortController();
        void this.call('refresh', best.refresh({ signal: controller.signal }));
        void this.process.sleep(2_000).then(() => controller.abort(new GivenUp()));
        return;
      }
      case 'calls pause':
        return void (await this.call('pause', best.pause()));
      case 'calls resume':
        return void (await this.call('resume', best.resume()));
      case 'calls rollback':
        return void (await this.call('rollback', best.rollback()));
      case 'calls close':
        return this.close();
      default:
        JSON.stringify([best.snapshot(), best.next(3), best.get('row 0')]);
        await this.call('history', best.history());
        await this.call('versions', best.versions());
    }
  }

  /** Reads everything, and what was pinned before. */
  look(): void {
    if (this.#kept !== undefined) this.#compare(this.#kept);
    const pinned = this.best.pin();
    const { version } = pinned;
    if (version !== this.#version) {
      const served = this.#witness.versions.next(this.#served, version);
      if (served === undefined)
        this.#witness.complain('read: an older version comes after a newer one, or one that is not served');
      else this.#served = served;
      this.#version = version;
      this.#kept = pinned;
    }
    this.#compare(pinned);
  }

  #compare(pinned: Pinned<string, number>): void {
    const version = this.#witness.versions.of(pinned.version);
    if (version === undefined && pinned.version !== 0) return; // It is complained about where it is published
    for (let row = 0; row < rowCount; row++) {
      const key = `row ${row}`;
      const { value, status } = pinned.get(key);
      if (value !== version?.entries.get(key))
        this.#witness.complain('read: an entry is not as it was published');
      if ((status === 'missing') !== (value === undefined))
        this.#witness.complain(`read: ${value} is ${status}`);
    }
  }
}
