import { randomUUID } from 'node:crypto';
import { type AshlarError, type CallOutcome, onAbort } from '@ashlar/core';
import {
  type Argument,
  type Client,
  Commands,
  clientLike,
  Link,
  type LinkErrors,
  type LinkOptions,
  type Script,
} from '@ashlar/store/redis-connection';
import type { Position } from '../../tiers/change-feed.ts';
import { TierClosedError, TierUnavailableError } from '../../tiers/errors.ts';
import type { Fill, ReadOptions, TierEntry, TierRead } from '../../tiers/remote-tier.ts';
import { argumentsOf, type EntryReply, entryFrom } from './codec.ts';
import { collectScript } from './collect-script.ts';
import type { Collected } from './collector.ts';
import {
  clearScript,
  fillScript,
  invalidateScript,
  positionScript,
  readScript,
  releaseScript,
  tagsScript,
  writeScript,
  writtenPositionScript,
} from './scripts.ts';
import { metaOf, type RedisTierSettings, rootOf } from './settings.ts';
import { refusesWrites } from './unfit.ts';

type ReadReply = readonly [entry: EntryReply | null, given: number, busyMs: number];

/** The most keys of one call, so that none takes the server long. */
const mostKeys = 500;

/** The operations of the tier, each a script, over one connection. */
export class RedisOperations {
  /** The session's name in the changes that it makes. */
  readonly id: string = randomUUID();
  /** The channel of changes; '' where the scripts leave marks. */
  readonly channel: string;
  readonly #settings: RedisTierSettings;
  readonly #meta: string;
  readonly #link: Link;
  readonly #commands: Commands;
  readonly #ending = new AbortController();
  /** False after the server refused a write, until it has taken one. */
  #takesWrites = true;
  #uniques = 0;
  #node: string | undefined;
  #serverMaxBytes = Number.POSITIVE_INFINITY;

  constructor(settings: RedisTierSettings) {
    const { prefix, timeoutMs, invalidation } = settings;
    this.#settings = settings;
    this.channel = invalidation === 'pubsub' ? `${rootOf(prefix)}feed` : '';
    this.#meta = metaOf(prefix);
    this.#link = new Link({
      ...linkOptions(settings),
      prepare: client => {
        this.#node = client.node;
        return this.#learn(client);
      },
      disconnected: cause => this.lost(cause),
    });
    this.#commands = new Commands(this.#link, timeoutMs);
  }

  /** In a cluster, the node that the connection leads to. */
  get node(): string | undefined {
    return this.#node;
  }

  /** Aborts with `close`. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Of the option, and of the server as far as it says. */
  get maxValueBytes(): number {
    return Math.min(this.#settings.maxValueBytes, this.#serverMaxBytes);
  }

  /** In as many calls as the length of the values needs. */
  async read(keys: readonly string[], options?: ReadOptions): Promise<readonly TierRead[]> {
    const reads: TierRead[] = [];
    do {
      const next = keys.slice(reads.length, reads.length + mostKeys);
      reads.push(...(await this.#readSome(next, options)));
    } while (reads.length < keys.length);
    return reads;
  }

  async #readSome(keys: readonly string[], options: ReadOptions = {}): Promise<readonly TierRead[]> {
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
    for (const some of chunks(keys)) {
      await this.#call(invalidateScript, some, ['', ...some.flatMap(key => [key, ''])]);
    }
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
    if (tags.length === 0) return;
    for (const some of chunks(tags)) await this.#run(tagsScript, [], some);
  }

  async clear(): Promise<void> {
    await this.#run(clearScript, [], []);
  }

  /** The position of the history, the prefix of names on the server, and whether there may be dead values. */
  async position(): Promise<Position & { readonly root: string; readonly hasDead: boolean }> {
    const script = this.#takesWrites ? positionScript : writtenPositionScript;
    const reply = await this.#asked(script, [], [], 'NotExecuted');
    // an answer to the other one, which was sent before a refusal, proves nothing
    if (script === writtenPositionScript) this.#takesWrites = true;
    const [epoch, sequence, root, dead] = (reply as readonly Buffer[]).map(String);
    return { epoch: epoch!, sequence: Number(sequence), root: root!, hasDead: dead === 'dead' };
  }

  /** One step of the collection of dead values. */
  async collect(): Promise<Collected> {
    return String(await this.#run(collectScript, [], [])) as Collected;
  }

  /** `CLIENT TRACKING` with these arguments, on the present connection. */
  async tracking(args: readonly string[]): Promise<void> {
    await this.#commands.reading('client', ['tracking', ...args], false);
  }

  /** Waits for the calls under way, which have their deadlines, until the signal aborts. */
  async close(signal?: AbortSignal): Promise<void> {
    this.#ending.abort();
    const unlink = signal && onAbort(signal, () => this.#link.abort());
    await this.#link.close();
    unlink?.();
  }

  /** The connection was lost, or the server refuses writes. */
  protected lost(_cause: unknown): void {}

  /** @throws the error that refuses every operation */
  protected assertFit(): void {}

  /** A longer value would end the connection. A server that does not say has the default, 512 MiB. */
  async #learn(client: Client): Promise<void> {
    try {
      const [, bytes] = (await client.call('config', ['get', 'proto-max-bulk-len'])) as readonly string[];
      this.#serverMaxBytes = Number(bytes) || Number.POSITIVE_INFINITY;
    } catch {
      this.#serverMaxBytes = Number.POSITIVE_INFINITY;
    }
  }

  async #call(
    script: Script,
    keys: readonly string[],
    rest: readonly Argument[],
    outcome?: CallOutcome,
  ): Promise<unknown> {
    if (keys.length === 0) return this.#assertOpen([]);
    const root = rootOf(this.#settings.prefix);
    const places = keys.flatMap(key => [`${root}v:${key}`, this.#leasePlace(key)]);
    return this.#run(script, places, rest, outcome);
  }

  async #run(
    script: Script,
    places: readonly string[],
    rest: readonly Argument[],
    outcome: CallOutcome = 'Unknown',
  ): Promise<unknown> {
    this.#assertOpen(undefined);
    this.assertFit();
    return this.#asked(script, places, rest, outcome);
  }

  async #asked(
    script: Script,
    places: readonly string[],
    rest: readonly Argument[],
    outcome: CallOutcome,
  ): Promise<unknown> {
    const args = [this.#meta, ...places, this.#unique(), this.channel, this.id, ...rest];
    try {
      return await this.#commands.script(script, args, { outcome, asBytes: true, moreKeys: places.length });
    } catch (error) {
      if (this.ending.aborted) throw new TierClosedError(this.#settings.tier, outcomeOf(error, outcome));
      if (this.#takesWrites && refusesWrites(error)) {
        this.#takesWrites = false;
        this.lost(error);
      }
      throw error;
    }
  }

  #assertOpen<T>(then: T): T {
    if (this.ending.aborted) throw new TierClosedError(this.#settings.tier);
    return then;
  }

  #leasePlace(key: string): string {
    return `${rootOf(this.#settings.prefix)}l:${key}`;
  }

  /** For leases and new histories: a random identifier and a number that only grows. */
  #unique(): string {
    return `${this.id}:${++this.#uniques}`;
  }
}

/** What both connections of a session have in common. */
export function linkOptions({ tier, redis, prefix, timeoutMs }: RedisTierSettings): LinkOptions {
  const connectTimeoutMs = Math.max(1_000, timeoutMs);
  const client = { connectionName: 'ashlar-cache-policies', connectTimeoutMs, key: metaOf(prefix) };
  const failed: LinkErrors['unavailable'] = (message, outcome, cause) =>
    new TierUnavailableError(message, outcome, { cause });
  return {
    connectTimeoutMs,
    make: () => clientLike(redis, client),
    errors: {
      timedOut: (command, ms, outcome) =>
        new TierUnavailableError(`${command} was not answered within ${ms} ms`, outcome),
      unavailable: failed,
      refused: failed,
      closed: outcome => new TierClosedError(tier, outcome),
    },
  };
}

/** At least one. */
function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at === 0 || at < items.length; at += mostKeys) yield items.slice(at, at + mostKeys);
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

export function unavailable(error: unknown, outcome: CallOutcome): AshlarError {
  const text = error instanceof Error ? error.message : String(error);
  return new TierUnavailableError(text, outcomeOf(error, outcome), { cause: error });
}
