import {
  type RemoteTier,
  type TierEntry,
  type TierListener,
  type TierRead,
  type TierSession,
  TierUnavailableError,
} from '../../src/index.ts';
import type { Gates } from './gates.ts';

/** What the tier tells of. */
export interface TierEvents {
  now(): number;
  /** The time that its server has kept this for begins now. */
  stored(key: string, entry: TierEntry): void;
  failed(): void;
}

/** A tier whose operations take their time before and after what they do, are counted, and may be refused. */
export class HarmedTier {
  readonly sessions: HarmedSession[] = [];
  readonly gates: Gates;
  readonly events: TierEvents;
  readonly #tier: RemoteTier;
  #refusals: { readonly when: 'before' | 'after'; times: number } | undefined;
  /** Operations that the server was asked for. */
  operations = 0;
  /** Answers that another one holds the lease: the caller asks again. */
  busy = 0;
  /** Operations that wait for the server. */
  underWay = 0;

  constructor(tier: RemoteTier, gates: Gates, events: TierEvents) {
    this.#tier = tier;
    this.gates = gates;
    this.events = events;
  }

  /** The tier as the cache of that number has it. */
  for(cache: number): RemoteTier {
    return {
      name: this.#tier.name,
      get: key => this.#tier.get(key),
      open: listener => {
        const session = new HarmedSession(cache, this, listener, own => this.#tier.open(own));
        this.sessions.push(session);
        return session;
      },
    };
  }

  refuse(when: 'before' | 'after', times: number): void {
    this.#refusals = { when, times };
  }

  comply(): void {
    this.#refusals = undefined;
  }

  takeRefusal(): 'before' | 'after' | undefined {
    if (this.#refusals === undefined || this.#refusals.times-- <= 0) return undefined;
    this.events.failed();
    return this.#refusals.when;
  }
}

/** One session; it can lose its connection, and then hears of nothing and is refused everything. */
export class HarmedSession implements TierSession {
  readonly cache: number;
  readonly #tier: HarmedTier;
  readonly #listener: TierListener;
  readonly #session: TierSession;
  #awaySince: number | undefined;
  readonly boundMs: number;
  readonly read: TierSession['read'];
  readonly fill: TierSession['fill'];
  readonly write: TierSession['write'];
  readonly invalidate: TierSession['invalidate'];
  readonly announce: TierSession['announce'];
  readonly release: TierSession['release'];
  readonly invalidateTags: TierSession['invalidateTags'];
  readonly clear: TierSession['clear'];

  constructor(
    cache: number,
    tier: HarmedTier,
    listener: TierListener,
    open: (listener: TierListener) => TierSession,
  ) {
    this.cache = cache;
    this.#tier = tier;
    this.#listener = listener;
    const session = open({
      invalidated: change => this.#isAway || listener.invalidated(change),
      reset: reason => this.#isAway || listener.reset(reason),
      connection: (state, error) => this.#isAway || listener.connection(state, error),
    });
    this.#session = session;
    this.boundMs = session.boundMs;
    const { events } = tier;
    this.read = this.#through(
      (...args) => session.read(...args),
      result => {
        tier.busy += (result as readonly TierRead[]).filter(({ busyMs }) => busyMs !== undefined).length;
      },
    );
    this.fill = this.#through(
      (...args) => session.fill(...args),
      (_, [fills]) => {
        for (const { key, entry } of fills) events.stored(key, entry);
      },
    );
    this.write = this.#through(
      (...args) => session.write(...args),
      (_, [entries]) => {
        for (const [key, entry] of entries) events.stored(key, entry);
      },
    );
    this.invalidate = this.#through((...args) => session.invalidate(...args));
    this.announce = this.#through((...args) => session.announce(...args));
    this.release = this.#through((...args) => session.release(...args));
    this.invalidateTags = this.#through((...args) => session.invalidateTags(...args));
    this.clear = this.#through((...args) => session.clear(...args));
  }

  get confirmedUntil(): number {
    const { confirmedUntil } = this.#session;
    return this.#awaySince === undefined ? confirmedUntil : Math.min(confirmedUntil, this.#awaySince - 1);
  }

  get #isAway(): boolean {
    return this.#awaySince !== undefined;
  }

  leave(): void {
    if (this.#isAway) return;
    this.#listener.connection('disconnected', new Error('the connection is cut'));
    this.#awaySince = this.#tier.events.now();
  }

  comeBack(): void {
    if (!this.#isAway) return;
    this.#awaySince = undefined;
    this.#listener.reset('reconnected');
    if (this.#session.snapshot().connected) this.#listener.connection('connected');
  }

  snapshot(): ReturnType<TierSession['snapshot']> {
    return this.#session.snapshot();
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  #through<Args extends readonly unknown[], Result>(
    work: (...args: Args) => Promise<Result>,
    done?: (result: Result, args: Args) => void,
  ): (...args: Args) => Promise<Result> {
    const tier = this.#tier;
    return async (...args) => {
      tier.operations++;
      await tier.gates.pass();
      const refusal = this.#isAway ? 'before' : tier.takeRefusal();
      if (refusal === 'before') throw new TierUnavailableError('refused', 'NotExecuted');
      tier.underWay++;
      let result: Result;
      try {
        result = await work(...args);
      } finally {
        tier.underWay--;
      }
      done?.(result, args);
      await tier.gates.pass();
      if (refusal === 'after' || this.#isAway) throw new TierUnavailableError('lost', 'Unknown');
      return result;
    };
  }
}
