import type { Random } from '@ashlar/core';
import type { Backend, ChangeListener, Page, Stored } from '../../backend.ts';
import { channels, Warnings } from '../../diagnostics.ts';
import {
  StoreClosedError,
  StoreTimeoutError,
  StoreUnavailableError,
  UnsafeBackendError,
  VersionConflictError,
} from '../../errors.ts';
import { checkAhead, maxAheadUs } from '../../limits.ts';
import type { Claim, Version } from '../../store.ts';
import { versionSource } from '../../versions.ts';
import type { Client, RedisLike } from '../redis-connection/client.ts';
import { clientLike } from '../redis-connection/client-like.ts';
import { Commands } from '../redis-connection/commands.ts';
import { Link } from '../redis-connection/link.ts';
import type { LinkErrors } from '../redis-connection/replies.ts';
import { serverFacts } from '../redis-connection/server-facts.ts';
import { decode, encode } from './codec.ts';
import { type Keys, keysUnder } from './keys.ts';
import { LogReader } from './log-reader.ts';
import { Position } from './position.ts';
import { claimScript, deleteScript, pageScript, releaseScript, setManyScript, setScript } from './scripts.ts';

const pageKeys = 256;
const pageBytes = 2 ** 20;

/** Together with the wait for changes, less than a second. */
const probeMs = 200;

/** How often the server's configuration is read again while it is used. */
const usualCheckAgainMs = 10_000;

export interface RedisBackendOptions {
  readonly name: string;
  readonly redis: RedisLike;
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly allowEviction: boolean;
  readonly random?: Random;
  readonly checkAgainMs?: number;
}

/** State in Redis: one command or script for each operation, on the node that has the prefix's hash tag. */
export class RedisBackend implements Backend {
  readonly kind = 'redis';
  readonly durability = 'asynchronous';
  readonly batchKeys = 128;
  readonly window = 4;
  readonly #options: RedisBackendOptions;
  readonly #keys: Keys;
  readonly #link: Link;
  readonly #commands: Commands;
  readonly #nextVersion = versionSource();
  readonly #policyWarnings: Warnings;
  readonly #watchWarnings: Warnings;
  #connections = 0;
  #reader: LogReader | undefined;
  #missed: ((reason: string) => void) | undefined;

  constructor(options: RedisBackendOptions) {
    this.#options = options;
    this.#keys = keysUnder(options.prefix);
    this.#policyWarnings = new Warnings(options.name);
    this.#watchWarnings = new Warnings(options.name);
    const { name: store, timeoutMs, checkAgainMs = usualCheckAgainMs } = options;
    this.#link = new Link({
      ...this.#linkOptions(),
      checkAgainMs,
      prepare: client => this.#checkPolicy(client),
      connected: () => {
        if (channels.connected.hasSubscribers) channels.connected.publish({ store });
        if (this.#connections++ > 0) this.#missed?.('the connection was lost');
      },
      disconnected: error => {
        if (channels.disconnected.hasSubscribers) channels.disconnected.publish({ store, error });
      },
    });
    this.#commands = new Commands(this.#link, timeoutMs);
  }

  get connected(): boolean {
    return this.#link.connected;
  }

  async read(keys: readonly string[]): Promise<readonly (Stored | undefined)[]> {
    const places = keys.map(this.#keys.value);
    if (places.length !== 1) {
      const found = (await this.#commands.reading('MGET', places, true)) as (Buffer | null)[];
      return found.map((stored, index) => decode(keys[index]!, stored));
    }
    return [decode(keys[0]!, (await this.#commands.reading('GET', places, true)) as Buffer | null)];
  }

  async write(
    key: string,
    value: Uint8Array,
    ttlMs: number | undefined,
    ifVersion: Version | undefined,
  ): Promise<Version> {
    const version = this.#nextVersion();
    const args = [...this.#keys.common, this.#keys.value(key), key, encode(version, value), ttlMs ?? ''];
    if (ifVersion !== undefined) args.push(ifVersion);
    const found = await this.#commands.script(setScript, args);
    if (found !== null) throw new VersionConflictError(key, ifVersion!, String(found));
    return version;
  }

  async writeAll(
    entries: readonly (readonly [string, Uint8Array])[],
    ttlMs: number | undefined,
  ): Promise<void> {
    const places = entries.map(([key]) => this.#keys.value(key));
    const items = entries.flatMap(([key, value]) => [key, encode(this.#nextVersion(), value)]);
    const args = [...this.#keys.common, ...places, ttlMs ?? '', ...items];
    await this.#commands.wholeScript(setManyScript, args, places.length);
  }

  async remove(key: string, ifVersion: Version | undefined): Promise<boolean> {
    const args = [...this.#keys.common, this.#keys.value(key), key];
    if (ifVersion !== undefined) args.push(ifVersion);
    return (await this.#commands.script(deleteScript, args)) === 1;
  }

  async page(prefix: string, after: string | undefined): Promise<Page> {
    const first = after === undefined ? `[${prefix}` : `(${after}`;
    // no byte of UTF-8 is 0xff
    const last = Buffer.concat([Buffer.from(`(${prefix}`), Buffer.of(0xff)]);
    const args = [...this.#keys.common, first, last, pageKeys, pageBytes];
    const reply = await this.#commands.script(pageScript, args, { outcome: 'NotExecuted', asBytes: true });
    const [next, page] = reply as [Buffer | null, Buffer[]];
    const entries: Stored[] = [];
    for (let i = 0; i < page.length; i += 2) entries.push(decode(String(page[i]), page[i + 1])!);
    return { entries, next: next === null ? undefined : String(next) };
  }

  async claim(
    name: string,
    holder: string,
    ttlMs: number,
    above: bigint | undefined,
  ): Promise<Claim | undefined> {
    const args = [this.#keys.claim(name), this.#keys.meta, holder, ttlMs];
    if (above !== undefined) args.push(String(above), String(maxAheadUs));
    const reply = (await this.#commands.script(claimScript, args)) as [string, number?] | null;
    if (reply === null) return undefined;
    const [text, remainingMs] = reply;
    if (remainingMs === undefined) checkAhead(above, BigInt(text));
    return { token: BigInt(text), remainingMs: remainingMs ?? 0 };
  }

  async release(name: string, token: bigint): Promise<boolean> {
    const args = [this.#keys.claim(name), String(token)];
    return (await this.#commands.script(releaseScript, args)) === 1;
  }

  listen(listener: ChangeListener): () => void {
    // Over the connection of the operations, so that it comes before those that are called next
    const start = this.#commands
      .reading('HMGET', [this.#keys.meta, 'epoch', 'seq'], false)
      .then(reply => new Position(...(reply as [string | null, string | null])));
    const reader = new LogReader({
      ...this.#linkOptions(),
      keys: this.#keys,
      listener,
      start,
      disconnected: () => this.#probe(),
      forbidden: reason =>
        this.#watchWarnings.publish(
          `Redis does not let a watch follow changes, so it lists again every few seconds: ${reason}`,
        ),
    });
    this.#reader = reader;
    this.#missed = reason => listener.missed(reason);
    return () => {
      reader.stop();
      this.#reader = undefined;
      this.#missed = undefined;
    };
  }

  async close(): Promise<void> {
    this.#reader?.stop();
    await this.#link.close();
  }

  /** When the connection that waits for changes is lost, the one for operations may be too, and notices by this. */
  #probe(): void {
    const probe = {
      command: 'PING',
      args: [],
      asBytes: false,
      outcome: 'NotExecuted',
      timeoutMs: probeMs,
    } as const;
    this.#link.call(probe).catch(() => {});
  }

  #linkOptions() {
    const { name, redis, timeoutMs, random } = this.#options;
    const connectTimeoutMs = Math.max(1_000, timeoutMs);
    const key = this.#keys.meta;
    const make = () => clientLike(redis, { connectionName: 'ashlar-store', connectTimeoutMs, key });
    return { connectTimeoutMs, make, errors: errorsOf(name), ...(random === undefined ? {} : { random }) };
  }

  async #checkPolicy(client: Client): Promise<void> {
    const { maxmemoryPolicy: policy } = await serverFacts(client, this.#keys.meta);
    if (policy === 'noeviction') return this.#policyWarnings.publish(undefined);
    const warning =
      policy !== undefined
        ? `Redis may evict what it was given to keep: its maxmemory-policy is ${policy}, not noeviction`
        : 'Redis does not let its maxmemory-policy be seen, which must be noeviction';
    this.#policyWarnings.publish(warning);
    if (policy !== undefined && !this.#options.allowEviction) throw new UnsafeBackendError(warning);
  }
}

function errorsOf(store: string): LinkErrors {
  const unavailable: LinkErrors['unavailable'] = (message, outcome, cause) =>
    new StoreUnavailableError(message, outcome, { cause });
  return {
    timedOut: (command, timeoutMs, outcome) => new StoreTimeoutError(command, timeoutMs, outcome),
    unavailable,
    refused: unavailable,
    closed: outcome => new StoreClosedError(store, outcome),
  };
}
