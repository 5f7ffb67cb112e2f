import { randomBytes } from 'node:crypto';
import { onAbort } from '@ashlar/core';
import type { Commands, Link } from '@ashlar/store/redis-connection';
import { OneByOne, type Source } from '../../consuming/one-by-one.ts';
import type { ConsumeOptions, Delivery } from '../../driver.ts';
import { GroupGoneError } from '../../errors.ts';
import { Hands, Held, type Holder } from './held.ts';
import type { TopicKeys } from './keys.ts';
import { StreamReader } from './reader.ts';
import { fetchScript, leaveScript, trimScript } from './scripts/fetch.ts';
import { claimScript } from './scripts/sharing/claim.ts';
import { Settler } from './settler.ts';
import { isKeyed, type Sharing, sharingText } from './sharing.ts';
import { Fetched, type RawFetched } from './wire.ts';

export interface ConsumerParts {
  readonly topic: string;
  readonly group: string;
  readonly keys: TopicKeys;
  readonly leaseMs: number;
  readonly maxDead: number;
  readonly maxResults: number;
  readonly timeoutMs: number;
  /** For commands that do not wait. */
  readonly link: Link;
  readonly commands: Commands;
  /** Opens the connection that waits for messages. `lost` is called after each reconnect. */
  open(lost: () => void): Link;
  /** Ends that connection. */
  close(link: Link): void;
  /** Asks the server whether it is there, and has the group. @throws GroupGoneError */
  probe(): Promise<void>;
}

/** The longest wait for messages; after it, the rest is looked after and the consumer is known to be alive. */
const blockMs = 1_000;
/** How often a consumer looks for the messages of consumers that died: at least four times a lease. */
const searchesPerLease = 4;
/** How often a waiting consumer looks for delays that end: how late one may be that another process has published. */
const lookMs = 500;
/** How long a busy one takes what is new alone: how late something that comes again may be. */
const busyMs = 50;
/** How often one whose places are all taken asks the server whether it is there: nothing else does. */
const askMs = 5_000;
/** How often a consumer deletes what all groups are done with. */
const trimMs = 1_000;

/** Deliveries of one group, as many at once as there are places. */
export function consume(parts: ConsumerParts, options: ConsumeOptions): AsyncIterable<Delivery> {
  return new OneByOne(async () => (options.signal.aborted ? undefined : new Consumer(parts, options)));
}

class Consumer implements Source<Delivery>, Holder {
  readonly #parts: ConsumerParts;
  /** Short, as the append-only file has it with each message. */
  readonly #name = randomBytes(12).toString('base64url');
  readonly #prefetch: number;
  readonly #signal: AbortSignal;
  readonly #alive: (() => void) | undefined;
  /** When it shares by keys: then a script hands out all that it gets. */
  readonly #sharing: Sharing | undefined;
  readonly #settler: Settler;
  readonly #link: Link;
  readonly #reader: StreamReader;
  readonly #unlink: () => void;
  readonly #hands = new Hands();
  #fetched: readonly Fetched[] = [];
  /** How many of those are handed out. */
  #at = 0;
  /** What is asked for, answered or not, and not taken over yet. One at a time, so that what becomes free meanwhile is asked for together. */
  #asked: Promise<readonly Fetched[]> | undefined;
  /** Called when a place is free; whether all are that become so in this turn. */
  #freed: ((isAll?: boolean) => void) | undefined;
  /** Messages may have been handed out that never arrived, as the connection was lost. */
  #mayHoldMore = false;
  /** Something of its own comes again, or a script alone can see whether there is more. */
  #mustLook = false;
  /** There is probably more. */
  #isBusy = true;
  /** With keys: more is due or new than one script files, and a key waits for its turn behind that. */
  #isBehind = false;
  #lookedAt = 0;
  #searchedAt = 0;
  #trimmedAt = performance.now();
  #dueAt = 0;
  #answeredAt = performance.now();

  constructor(parts: ConsumerParts, { prefetch, signal, alive, ...sharing }: ConsumeOptions) {
    this.#parts = parts;
    this.#prefetch = prefetch;
    this.#signal = signal;
    this.#alive = alive;
    this.#sharing = isKeyed(sharing) ? sharing : undefined;
    const { commands, keys, ...place } = parts;
    const keepsOrder = sharing.ordered === true;
    const at = { ...place, stream: keys.stream, consumer: this.#name, keepsOrder, prefetch };
    this.#settler = new Settler(commands, at, () => {
      this.#askAhead();
      this.#freed?.(true);
    });
    this.#link = parts.open(() => {
      this.#mayHoldMore = true;
      this.#settler.looksAtEach = true; // It may be another server, which knows less
    });
    this.#reader = new StreamReader(parts, this.#name, this.#link);
    this.#unlink = onAbort(signal, () => {
      this.#reader.stop();
      this.#freed?.();
    });
  }

  take(): Delivery | undefined {
    if (this.#signal.aborted || this.#at === this.#fetched.length) return undefined;
    return this.#hold(this.#fetched[this.#at++]!);
  }

  async more(): Promise<boolean> {
    while (!this.#signal.aborted) {
      this.#hands.dropLost(performance.now());
      if (this.#asked === undefined && this.#places <= 0 && !this.#isBehind) {
        await this.#untilFree();
        if (this.#places <= 0) await this.#probe();
        continue;
      }
      this.#asked ??= this.#next(Math.max(0, this.#places));
      this.#fetched = await this.#asked;
      this.#asked = undefined;
      this.#at = 0;
      this.#answered();
      this.#askAhead();
      if (this.#fetched.length > 0) return true;
    }
    return false;
  }

  /** Asks for more behind the acknowledgements that make room, so that its answer is there when what is in hands has been handled. */
  #askAhead(): void {
    if (this.#asked !== undefined || this.#signal.aborted || !this.#isBusy || this.#sharing !== undefined)
      return;
    const places = this.#places;
    if (places <= 0) return;
    this.#asked = this.#next(places);
    this.#asked.catch(() => {}); // Who asks for the next one is told
  }

  /** Those whose acknowledgement is sent are free for whatever is asked on the same connection: the server does it after that. */
  get #places(): number {
    const { leaving } = this.#settler;
    return this.#prefetch - this.#hands.size - this.#toHandOut + (this.#isBusy ? leaving : 0);
  }

  /** How many are fetched and not handed out yet. */
  get #toHandOut(): number {
    return this.#fetched.length - this.#at;
  }

  async #next(places: number): Promise<readonly Fetched[]> {
    const isKeyed = this.#sharing !== undefined;
    const lookAt = this.#isBusy && !isKeyed ? this.#lookedAt + busyMs : Infinity;
    const isDue = performance.now() >= Math.min(lookAt, this.#nextLookAt);
    if (isDue || this.#mayHoldMore || this.#mustLook || (this.#isBusy && isKeyed) || this.#isBehind) {
      const found = await this.#look(places);
      this.#isBusy = found.length >= (isKeyed ? places : 1);
      return found;
    }
    if (this.#isBusy) {
      const found = await this.#reader.take(places);
      this.#isBusy = found.length >= places;
      // What a script alone can read is no reason to wait for
      this.#mustLook ||= !this.#isBusy;
      return found;
    }
    const waitsMs = Math.max(1, Math.min(blockMs, Math.ceil(this.#nextLookAt - performance.now())));
    if (!isKeyed) return this.#noMoreThan(places, await this.#reader.wait(places, waitsMs));
    this.#mustLook = await this.#reader.rings(waitsMs);
    return [];
  }

  /** Two streams are waited for, and each may have one for the only place. */
  async #noMoreThan(places: number, found: readonly Fetched[]): Promise<readonly Fetched[]> {
    for (const message of found.slice(places)) {
      await this.#settler.nack(message, { charge: false }).catch(() => {
        this.#mayHoldMore = true;
      });
      this.#mustLook = true;
    }
    return found.slice(0, places);
  }

  /** What was not handed to the caller goes back uncharged; what was, stays until its lease ends. */
  async leave(): Promise<void> {
    const { commands, keys, group, close } = this.#parts;
    this.#unlink();
    close(this.#link);
    this.#fetched = [];
    this.#at = 0;
    try {
      // Also what the server has handed out while the connection ended
      this.#mayHoldMore = true;
      const orphans = await this.#look(0);
      await Promise.all(orphans.map(message => this.#settler.nack(message, { charge: false })));
      if (this.#hands.size === 0) await commands.script(leaveScript, [keys.stream, group, this.#name]);
    } catch {
      // Then others have them when their lease is over
    }
  }

  get #nextLookAt(): number {
    const searchAt = this.#searchedAt + this.#parts.leaseMs / searchesPerLease;
    return Math.min(this.#dueAt, searchAt, this.#lookedAt + lookMs);
  }

  #hold(message: Fetched): Delivery {
    const held = new Held(message, this.#settler, this, message.receivedAt + this.#parts.leaseMs);
    this.#hands.take(held);
    return held;
  }

  settled(held: Held, comesAgain: boolean): void {
    if (comesAgain) this.#mustLook = true;
    this.#hands.drop(held);
    this.#freed?.();
  }

  #answered(): void {
    this.#answeredAt = performance.now();
    this.#alive?.();
  }

  async #probe(): Promise<void> {
    if (this.#signal.aborted || performance.now() < this.#answeredAt + askMs) return;
    try {
      await this.#parts.probe();
      this.#answered();
    } catch (error) {
      if (error instanceof GroupGoneError) throw error;
    }
  }

  /** Until a delivery is settled, or has lost its lease; for some time at most. */
  async #untilFree(): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, Math.min(this.#parts.leaseMs / searchesPerLease, askMs));
      timer.unref();
      this.#freed = isAll => {
        this.#freed = undefined;
        clearTimeout(timer);
        if (isAll) resolve();
        else setImmediate(resolve);
      };
      if (this.#signal.aborted) this.#freed();
    });
    this.#freed = undefined;
  }

  /** One script: what is due, what is lost, what is new. */
  async #look(places: number): Promise<readonly Fetched[]> {
    const { keys, group, leaseMs, commands } = this.#parts;
    const now = performance.now();
    const searches = now >= this.#searchedAt + leaseMs / searchesPerLease;
    const again = this.#mayHoldMore;
    const known = again ? [...this.#hands.known, ...this.#fetched.slice(this.#at).map(({ ref }) => ref)] : [];
    const isEmpty = this.#hands.size === 0 && this.#toHandOut === 0;
    const marks = isEmpty && (this.#settler.looksAtEach || this.#lookedAt === 0);
    const flags = [searches, again, marks].map(Number);
    const sharing = this.#sharing === undefined ? '' : sharingText(this.#sharing);
    const args = [keys.stream, group, this.#name, places, leaseMs, ...flags, sharing];
    const script = this.#sharing === undefined ? fetchScript : claimScript;
    this.#mustLook = false;
    const reply = await this.#reader.asked(commands.script(script, [...args, ...known], { asBytes: true }));
    const receivedAt = performance.now();
    const [dueInMs, found] = reply as [number, RawFetched[]];
    this.#lookedAt = now;
    if (searches) this.#searchedAt = now;
    if (again) this.#mayHoldMore = false;
    if (marks) this.#settler.looksAtEach = false;
    this.#isBehind = this.#sharing !== undefined && dueInMs === 0;
    this.#dueAt = dueInMs < 0 ? Infinity : receivedAt + dueInMs;
    this.#trim();
    return found.map(([isRetry, count, entry]) => new Fetched(isRetry === 1, count, entry, receivedAt));
  }

  #trim(): void {
    const { keys, commands } = this.#parts;
    if (performance.now() < this.#trimmedAt + trimMs) return;
    this.#trimmedAt = performance.now();
    commands.script(trimScript, [keys.stream, trimMs]).catch(() => {}); // The next one does it
  }
}
