import { seededRandom } from '@ashlar/core';
import { memoryStore } from '@ashlar/store';
import { Cache, type LoadContext, memoryTier, type RemoteTier } from '../../src/index.ts';
import type { Setup } from '../case.ts';
import { type Call, mayReject, reads } from '../verdict/calls.ts';
import { History } from '../verdict/history.ts';
import { type Load, Loads } from '../verdict/loads.ts';
import { Violation } from '../verdict/violation.ts';
import { cacheOptions } from './cache-options.ts';
import { Gates } from './gates.ts';
import { Harm } from './harm.ts';
import { Keys } from './keys.ts';
import { Source, type SourceLoad } from './source.ts';
import { HarmedTier } from './tier.ts';
import { realTime, type Time, virtualTime } from './time.ts';
import { idOf, isShareable, type Value, type ValueId } from './values.ts';

/** Makes a tier on a real server. */
export type OpenTier = (time: Time, invalidation: 'pubsub' | 'tracking') => RemoteTier;

/** How late a change may be noticed over a real server, in milliseconds. */
export const realBoundMs = 100;
/** What a loaded machine adds to it. */
const slackMs = 50;

/** A cache of the case; after a restart there is another one in its place. */
export interface Member {
  cache: Cache<unknown, Value>;
  max: number;
}

/** The caches of one case with all that is around them, and the model of what they may answer. */
export class World {
  readonly setup: Setup;
  readonly time: Time;
  readonly keys: Keys;
  readonly gates: Gates;
  readonly harm: Harm;
  readonly source: Source;
  readonly tier: HarmedTier | undefined;
  readonly memory: ReturnType<typeof memoryTier> | undefined;
  readonly history: History;
  readonly loads: Loads;
  readonly members: readonly Member[];
  readonly calls: Call[] = [];
  readonly violations: Violation[] = [];
  readonly closing: Set<Cache<unknown, Value>> = new Set();
  /** The last time that the tier failed or was made to forget. */
  tierFailedAt = 0;
  /** Whether a session was ever away: then others' changes are noticed as late as `onDisconnect` allows. */
  wasAway = false;
  readonly #sequences = new Map<string, number>();
  readonly #batches = new Set<number>();
  readonly #longestTtl = new Map<number, number>();
  readonly #make: (cache: number) => Cache<unknown, Value>;

  constructor(setup: Setup, openTier?: OpenTier) {
    this.setup = setup;
    const isReal = setup.tier === 'pubsub' || setup.tier === 'tracking';
    this.time = isReal ? realTime(() => (this.tier?.underWay ?? 0) === 0) : virtualTime();
    this.keys = new Keys(setup);
    this.gates = new Gates(!setup.gated);
    this.history = new History(setup.keys.length);
    this.loads = new Loads(loadRules(setup), key => this.#isChanging(key));
    this.harm = new Harm(() => this.touch('all'));
    this.source = new Source(this.gates, this.harm, {
      loading: (cache, keys, context) => this.#loading(cache, keys, context),
      applied: (cache, key, value) => {
        this.touch(key);
        this.history.applied(key, idOf(value), cache);
      },
      refused: (cache, key, value) => this.history.refused(key, idOf(value), cache),
    });
    const { clock } = this.time;
    if (setup.tier === 'memory') this.memory = memoryTier({ clock });
    const tier =
      this.memory ?? (isReal ? openTier!(this.time, setup.tier as 'pubsub' | 'tracking') : undefined);
    this.tier =
      tier &&
      new HarmedTier(tier, this.gates, {
        now: () => clock.now(),
        stored: (text, { value }) => this.#storedInTier(text, value),
        failed: () => this.tierFailed(),
      });
    const parts = {
      ...{ setup, keys: this.keys, time: this.time, harm: this.harm, source: this.source, tier: this.tier },
      store: memoryStore(),
      random: seededRandom(setup.random),
      batch: (cache: number, batch: readonly { key: number; sequence: number }[]) =>
        this.#batch(cache, batch),
    };
    this.#make = cache => new Cache(cacheOptions(cache, parts));
    this.members = Array.from({ length: setup.caches }, (_, cache) => ({
      cache: this.#make(cache),
      max: setup.max,
    }));
  }

  /** A new process in the place of that one. */
  renew(cache: number): void {
    Object.assign(this.members[cache]!, { cache: this.#make(cache), max: this.setup.max });
  }

  fail(kind: string, detail: string): void {
    this.violations.push(new Violation(kind, detail));
  }

  /** What happens may take another load of the key. */
  touch(key: number | 'all'): void {
    this.loads.touch(key, this.history.tick());
  }

  tierFailed(): void {
    this.touch('all');
    this.tierFailedAt = this.history.tick();
  }

  /** Follows a call until it settles, however that may be. */
  track(
    call: Omit<Call, 'isSettled' | 'tick' | 'ms'>,
    work: Promise<unknown>,
    resolved: (result: never, call: Call) => void,
    rejected: (error: unknown, call: Call) => void = () => {},
  ): void {
    const begun: Call = { ...call, tick: this.history.tick(), ms: this.time.clock.now(), isSettled: false };
    this.calls.push(begun);
    const end = (then: () => void) => {
      begun.isSettled = true;
      if (!reads.has(call.name)) for (const key of call.keys) this.touch(key);
      then();
    };
    work.then(
      result => end(() => resolved(result as never, begun)),
      error =>
        end(() => {
          if (!this.mayReject(begun, error))
            this.fail(`${call.name} rejects without a reason`, String(error));
          rejected(error, begun);
        }),
    );
  }

  mayReject(call: Call, error: unknown): boolean {
    const { setup, harm } = this;
    const isClosing = (cache: Cache<unknown, Value>) => this.closing.has(cache);
    return mayReject(call, error, { setup, harm, tierFailed: this.tierFailedAt > 0, isClosing });
  }

  /** Notes the `ttlMs` of a call: what it stores may be served for so long. */
  lasts(key: number, ttlMs: number | undefined): void {
    if (ttlMs === undefined) return;
    this.#longestTtl.set(key, Math.max(ttlMs, this.#longestTtl.get(key) ?? 0));
    this.loads.forget(key);
  }

  /** Checks what a read was told. */
  answered(call: Call, key: number, value: Value | undefined): void {
    const id = idOf(value);
    const { cache, tick, ms } = call;
    const { onDisconnect, negativeTtlMs = 0 } = this.setup.options;
    const graces = [
      ...(this.#isReal ? [realBoundMs + slackMs] : []),
      ...(this.wasAway ? [onDisconnect?.serveMs ?? 0] : []),
    ];
    const graceMs = graces.length === 0 ? undefined : graces.reduce((sum, each) => sum + each);
    const rules = { graceMs, sparesNothing: negativeTtlMs > 0 };
    const wrong = this.history.wrong({ key, cache, id }, { tick, ms }, rules) ?? this.#tooStale(key, id, ms);
    if (wrong !== undefined) {
      this.fail('old value', `${call.name} of cache ${cache} gives ${id} for key ${key}: ${wrong}`);
    }
  }

  get #isReal(): boolean {
    return this.setup.tier === 'pubsub' || this.setup.tier === 'tracking';
  }

  /** A value that is fresh no more, and stale for longer than is allowed. */
  #tooStale(key: number, id: ValueId, begunAt: number): string | undefined {
    const { write, options } = this.setup;
    const { ttlMs, staleMs = 0, staleIfErrorMs = 0, negativeTtlMs = 0 } = options;
    if (id === undefined || write === 'writeBehind' || write === 'journal' || ttlMs === undefined)
      return undefined;
    const freshMs = Math.max(ttlMs, negativeTtlMs, this.#longestTtl.get(key) ?? 0);
    const until = this.history.storedAt(key, id) + freshMs + Math.max(staleMs, staleIfErrorMs);
    return begunAt <= until + (this.#isReal ? slackMs : 0)
      ? undefined
      : `it was stale since ${begunAt - until} ms`;
  }

  /** Whether it is a matter of moments what becomes of a load of the key. */
  #isChanging(key: number): boolean {
    return (
      this.tierFailedAt > 0 ||
      this.calls.some(
        ({ name, keys, isSettled }) =>
          !isSettled && !reads.has(name) && (keys.length === 0 || keys.includes(key)),
      )
    );
  }

  #storedInTier(text: string, bytes: Uint8Array | undefined): void {
    const key = this.keys.ofText(text);
    if (bytes === undefined || key < 0) return;
    const value = JSON.parse(new TextDecoder().decode(bytes)) as Value;
    this.history.stored(key, idOf(value), this.time.clock.now());
  }

  #loading(cache: number, keys: readonly number[], { signal }: LoadContext): SourceLoad {
    const tick = this.history.tick();
    const startedAt = this.time.clock.now();
    const loads = keys.map((key): Load => ({ key, cache, tick, startedAt, signal }));
    for (const load of loads) {
      const needless = this.loads.begin(load);
      if (needless !== undefined) this.fail(needless.kind, needless.detail);
    }
    signal.addEventListener('abort', () => this.#abortedLoad(loads), { once: true });
    return {
      brought: values => {
        const now = this.time.clock.now();
        for (const load of loads) {
          const value = values.get(load.key);
          this.history.stored(load.key, idOf(value), now);
          this.loads.end(
            load,
            now,
            value !== undefined && isShareable(value) && !this.keys.isRefused(load.key),
          );
        }
      },
      failed: () => {
        this.touch('all');
        for (const load of loads) this.loads.end(load, this.time.clock.now(), false);
      },
    };
  }

  /** Nobody may be left waiting for a load that was given up. */
  #abortedLoad(loads: readonly Load[]): void {
    const [{ cache, tick }] = loads as [Load];
    if (this.setup.options.timeoutMs !== undefined || this.closing.has(this.members[cache]!.cache)) return;
    for (const { key } of loads) {
      if (!this.loads.underWayOf(key, cache) || this.loads.isTouched(key, tick)) continue;
      const waiting = this.calls.find(
        call =>
          reads.has(call.name) &&
          !call.isSettled &&
          call.cache === cache &&
          call.of === this.members[cache]!.cache &&
          call.keys.includes(key) &&
          call.tick > tick &&
          call.signal?.aborted !== true,
      );
      if (waiting !== undefined)
        this.fail('load aborted', `of key ${key}, while a ${waiting.name} waits for it`);
    }
  }

  #batch(cache: number, batch: readonly { key: number; sequence: number }[]): () => void {
    if (this.#batches.has(cache)) this.fail('two batches at once', `of cache ${cache}`);
    this.#batches.add(cache);
    if (new Set(batch.map(({ key }) => key)).size < batch.length)
      this.fail('a key twice in a batch', JSON.stringify(batch));
    for (const { key, sequence } of batch) {
      const place = `${cache} ${key}`;
      if (sequence < (this.#sequences.get(place) ?? 0))
        this.fail('an earlier write after a later one', place);
      this.#sequences.set(place, sequence);
    }
    return () => this.#batches.delete(cache);
  }
}

/** What is known of the loads of a setup. */
function loadRules({ tier, max, gated, options }: Setup): ConstructorParameters<typeof Loads>[0] {
  const { ttlMs, jitter, timeoutMs, refreshAhead, leaseMs, leaseWaitMs } = options;
  const shared = tier !== 'none';
  const isPlain =
    max > 2 && jitter === undefined && refreshAhead === undefined && tier !== 'pubsub' && tier !== 'tracking';
  // Its lease begins before a load does, by as long as the answer of the tier is held
  const leaseLeftMs = gated && leaseMs !== undefined ? 0 : (leaseMs ?? 10_000);
  return {
    shared,
    patienceMs: Math.min(
      timeoutMs ?? Number.POSITIVE_INFINITY,
      ...(shared ? [leaseLeftMs, leaseWaitMs ?? 2_000] : []),
    ),
    freshMs: isPlain ? (ttlMs ?? Number.POSITIVE_INFINITY) : 0,
  };
}
