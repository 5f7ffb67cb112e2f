import { randomUUID } from 'node:crypto';
import { type AshlarError, backgroundClock, type CallOutcome } from '@ashlar/core';
import {
  type Argument,
  type Client,
  Commands,
  clientLike,
  Link,
  type RedisLike,
  type Script,
} from '@ashlar/store/redis-connection';
import { TierClosedError, TierUnavailableError } from '../../tiers/errors.ts';
import type {
  Fill,
  ReadOptions,
  TierEntry,
  TierListener,
  TierRead,
  TierSession,
} from '../../tiers/remote-tier.ts';
import { argumentsOf, type EntryReply, entryFrom } from './codec.ts';
import { Feed, type Position } from './feed.ts';
import {
  clearScript,
  fillScript,
  invalidateScript,
  positionScript,
  readScript,
  releaseScript,
  tagsScript,
  writeScript,
} from './scripts.ts';

export interface RedisSessionOptions {
  readonly tier: string;
  readonly redis: RedisLike;
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly boundMs: number;
}

/** How many checks there are within the bound: the local tier is served as long as one of them comes in time. */
const checksPerBound = 4;
const retryMs = 20;

type ReadReply = readonly [entry: EntryReply | null, given: number, busyMs: number];

/** One connection for operations, each a script; and one that hears of changes. */
export class RedisSession implements TierSession {
  readonly boundMs: number;
  readonly #options: RedisSessionOptions;
  readonly #id = randomUUID();
  readonly #channel: string;
  readonly #meta: string;
  readonly #feed: Feed;
  readonly #operations: Link;
  readonly #hearing: Link;
  readonly #commands: Commands;
  readonly #ending = new AbortController();
  #uniques = 0;

  constructor(options: RedisSessionOptions, listener: TierListener) {
    const { tier: store, redis, prefix, timeoutMs, boundMs } = options;
    this.#options = options;
    this.boundMs = boundMs;
    this.#channel = `{${prefix}}:feed`;
    this.#meta = `{${prefix}}:meta`;
    this.#feed = new Feed(this.#id, boundMs, listener);
    const connectTimeoutMs = Math.max(1_000, timeoutMs);
    const disconnected = (cause: unknown) => {
      if (!this.#ending.signal.aborted) this.#feed.lost(unavailable(cause, 'NotExecuted'));
    };
    const link = { store, connectTimeoutMs, make: () => clientLike(redis, connectTimeoutMs), disconnected };
    this.#operations = new Link(link);
    this.#hearing = new Link({ ...link, prepare: client => this.#listen(client) });
    this.#commands = new Commands(this.#operations, timeoutMs);
    void this.#watch();
  }

  get confirmedUntil(): number {
    return this.#feed.confirmedUntil;
  }

  async read(keys: readonly string[], options: ReadOptions = {}): Promise<readonly TierRead[]> {
    const { leaseMs, minFreshMs = 0 } = options;
    const minFresh = minFreshMs === Number.POSITIVE_INFINITY ? 'inf' : minFreshMs;
    const leases = leaseMs === undefined ? [] : keys.map(() => this.#unique());
    const rest = [durationOf(leaseMs), minFresh, ...leases];
    const found = await this.#call(readScript, keys, rest, leaseMs === undefined ? 'NotExecuted' : 'Unknown');
    return (found as readonly ReadReply[]).map(([entry, given, busyMs], index) => ({
      ...(entry === null ? {} : { entry: entryFrom(entry) }),
      ...(given === 1 ? { lease: leases[index]! } : {}),
      ...(busyMs > 0 ? { busyMs } : {}),
    }));
  }

  async fill(fills: readonly Fill[]): Promise<readonly boolean[]> {
    const keys = fills.map(({ key }) => key);
    const rest = fills.flatMap(({ lease, entry }) => [lease, ...argumentsOf(entry)]);
    return ones(await this.#call(fillScript, keys, rest));
  }

  async write(entries: ReadonlyMap<string, TierEntry>): Promise<void> {
    const rest = Array.from(entries, ([key, entry]) => [key, ...argumentsOf(entry)]).flat();
    await this.#call(writeScript, [...entries.keys()], rest);
  }

  async invalidate(keys: readonly string[]): Promise<void> {
    await this.#call(invalidateScript, keys, ['', ...keys.flatMap(key => [key, ''])]);
  }

  async announce(keys: readonly string[], leaseMs: number): Promise<readonly string[]> {
    const leases = keys.map(() => this.#unique());
    const named = keys.flatMap((key, index) => [key, leases[index]!]);
    await this.#call(invalidateScript, keys, [durationOf(leaseMs), ...named]);
    return leases;
  }

  async release(
    leases: readonly { readonly key: string; readonly lease: string }[],
  ): Promise<readonly boolean[]> {
    if (leases.length === 0) return [];
    const places = leases.map(({ key }) => this.#leasePlace(key));
    const given = leases.map(({ lease }) => lease);
    return ones(await this.#run(releaseScript, places, given));
  }

  async invalidateTags(tags: readonly string[]): Promise<void> {
    if (tags.length > 0) await this.#run(tagsScript, [], tags);
  }

  async clear(): Promise<void> {
    await this.#run(clearScript, [], []);
  }

  snapshot(): object {
    const { tier, prefix } = this.#options;
    const { connected, sequence } = this.#feed;
    return { tier, prefix, connected, sequence };
  }

  async close(): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#feed.confirmedUntil = Number.NEGATIVE_INFINITY;
    this.#hearing.abort();
    await this.#operations.close();
  }

  async #listen(client: Client): Promise<void> {
    client.on('messageBuffer', (_, message) => {
      if (!this.#ending.signal.aborted) this.#feed.take(String(message));
    });
    await client.call('subscribe', [this.#channel]);
  }

  /** Checks again and again that nothing was missed. */
  async #watch(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const pauseMs = await this.#check().then(
        () => this.boundMs / checksPerBound,
        () => retryMs,
      );
      await backgroundClock.sleep(pauseMs, signal).catch(() => {});
    }
  }

  #check(): Promise<void> {
    const { timeoutMs } = this.#options;
    const ask = async (): Promise<Position> => {
      const [epoch, sequence] = (await this.#run(positionScript, [], [], 'NotExecuted')) as [Buffer, Buffer];
      return { epoch: String(epoch), sequence: Number(sequence) };
    };
    const ping = { command: 'ping', args: [], asBytes: false, outcome: 'NotExecuted', timeoutMs } as const;
    return this.#feed.check(
      () => performance.now(),
      ask,
      async () => void (await this.#hearing.call(ping)),
    );
  }

  async #call(
    script: Script,
    keys: readonly string[],
    rest: readonly Argument[],
    outcome?: CallOutcome,
  ): Promise<unknown> {
    if (keys.length === 0) return this.#assertOpen([]);
    const places = keys.flatMap(key => [`{${this.#options.prefix}}:v:${key}`, this.#leasePlace(key)]);
    return this.#run(script, places, rest, outcome);
  }

  async #run(
    script: Script,
    places: readonly string[],
    rest: readonly Argument[],
    outcome: CallOutcome = 'Unknown',
  ): Promise<unknown> {
    this.#assertOpen(undefined);
    const args = [this.#meta, ...places, this.#unique(), this.#channel, this.#id, ...rest];
    try {
      return await this.#commands.script(script, args, { outcome, asBytes: true, moreKeys: places.length });
    } catch (error) {
      if (this.#ending.signal.aborted)
        throw new TierClosedError(this.#options.tier, outcomeOf(error, outcome));
      throw unavailable(error, outcome);
    }
  }

  #assertOpen<T>(then: T): T {
    if (this.#ending.signal.aborted) throw new TierClosedError(this.#options.tier);
    return then;
  }

  #leasePlace(key: string): string {
    return `{${this.#options.prefix}}:l:${key}`;
  }

  /** For leases and new histories: the identifier is random, so nobody else has this one, and the number never comes again. */
  #unique(): string {
    return `${this.#id}:${++this.#uniques}`;
  }
}

/** As Redis takes it. */
function durationOf(ms: number | undefined): number | '' {
  return ms === undefined ? '' : Math.max(1, Math.ceil(ms));
}

function ones(reply: unknown): boolean[] {
  return (reply as readonly number[]).map(one => one === 1);
}

function outcomeOf(error: unknown, otherwise: CallOutcome): CallOutcome {
  const { outcome } = (error ?? {}) as { outcome?: CallOutcome };
  return outcome ?? otherwise;
}

function unavailable(error: unknown, outcome: CallOutcome): AshlarError {
  const text = error instanceof Error ? error.message : String(error);
  return new TierUnavailableError(text, outcomeOf(error, outcome), { cause: error });
}
