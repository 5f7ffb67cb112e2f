import {
  durationMs,
  functionOf,
  listOf,
  type RulesFor,
  readOptions,
  required,
  text,
  withDeadline,
} from '@ashlar/core';
import type { Authority, AuthorityContext, Topology } from '../../authority.ts';
import type { NewRedisClient, RedisClientLike } from './client-like.ts';
import { clientAdvice, clientOf } from './client-of.ts';
import { Wire } from './wire.ts';

export interface SentinelOptions<C extends RedisClientLike, S> {
  /** How to reach each Sentinel: what `newClient` gets. */
  readonly sentinels: readonly S[];
  /** What the Sentinels call the primary: `sentinel monitor NAME …`. */
  readonly name: string;
  /** As for `redisServers`; it also makes the clients of the Sentinels. */
  readonly newClient: NewRedisClient<C, S>;
  /** Milliseconds between two questions, besides what they push. Default: 500. */
  readonly intervalMs?: number | undefined;
}

type AnyNewClient = NewRedisClient<RedisClientLike, unknown>;
const rules = {
  sentinels: required(listOf(required((value: unknown) => value)), "write `['redis://sentinel1:26379', …]`"),
  name: required(text()),
  newClient: required(functionOf<AnyNewClient>(clientAdvice), clientAdvice),
  intervalMs: durationMs(500, { above: 0 }),
} satisfies RulesFor<SentinelOptions<RedisClientLike, unknown>>;

/** Milliseconds that a Sentinel has for an answer. */
const deadlineMs = 1_000;

/** What one Sentinel says. */
interface Word {
  /** Of the configuration: a majority of Sentinels has agreed on it, and it grows with each failover. */
  readonly epoch: number;
  readonly address: string;
  /** The identifier of each server that it knows, by its address. */
  readonly instances: ReadonlyMap<string, string>;
}

/**
 * Follows Redis Sentinel. Every Sentinel is asked, and pushes its changes; the configuration of the latest epoch counts, since
 * a majority has agreed on it: one that was cut off says nothing that is believed. An earlier primary that comes back gets
 * no work, also before it is demoted. Servers are recognized by their `run_id`, so that it does not matter under which
 * addresses the Sentinels see them.
 *
 * @throws InvalidOptionError
 */
export function sentinel<C extends RedisClientLike, S>(options: SentinelOptions<C, S>): Authority {
  const { sentinels, name, newClient, intervalMs } = readOptions('sentinel', options, rules);
  const makers = sentinels.map(connection => () => clientOf(newClient, connection));
  for (const make of makers) make().disconnect();
  return {
    kind: 'sentinel',
    start(context: AuthorityContext) {
      const council = new Council(context, name);
      const all = makers.map(make => new SentinelLink(make, name, intervalMs, council, context));
      for (const one of all) void one.run();
      const stop = context.onSighting(() => council.decide());
      context.signal.addEventListener('abort', stop, { once: true });
    },
  };
}

/** What all Sentinels say, together. */
class Council {
  readonly #context: AuthorityContext;
  readonly #name: string;
  readonly #words = new Map<SentinelLink, Word>();
  /** Every server that any Sentinel has seen; an address may get another one. */
  readonly #instances = new Map<string, string>();
  #published: Topology | undefined;
  #error: string | undefined;

  constructor(context: AuthorityContext, name: string) {
    this.#context = context;
    this.#name = name;
  }

  hear(from: SentinelLink, word: Word): void {
    this.#words.set(from, word);
    for (const [address, instance] of word.instances) this.#instances.set(address, instance);
    this.decide();
  }

  lose(from: SentinelLink, error: unknown): void {
    this.#words.delete(from);
    this.#error = error instanceof Error ? error.message : String(error);
    this.decide();
  }

  decide(): void {
    const words = [...this.#words.values()];
    const epoch = Math.max(...words.map(each => each.epoch));
    const latest = mostOf(words.filter(each => each.epoch === epoch));
    this.#context.warn(this.#warning(latest));
    const before = this.#published;
    if (latest === undefined || (before !== undefined && epoch <= before.term)) return;
    const instance = this.#instances.get(latest.address);
    const primary = this.#context.servers().find(each => each.sighting?.instance === instance);
    // Believed when the server says so too: a term is published once
    if (instance === undefined || primary?.sighting?.role !== 'primary') return;
    this.#published = { term: epoch, primary: primary.id };
    this.#context.publish(this.#published);
  }

  #warning(latest: Word | undefined): string | undefined {
    if (latest === undefined) return this.#error && `no Sentinel answers: ${this.#error}`;
    const { epoch, address } = latest;
    const before = this.#published?.term ?? -1;
    if (epoch < before)
      return `the Sentinels are at epoch ${epoch} of ${this.#name} and were at ${before}: they have been set up anew, and are not followed`;
    const isKnown = this.#context
      .servers()
      .some(each => each.sighting?.instance === this.#instances.get(address));
    return isKnown
      ? undefined
      : `the Sentinels say that the primary of ${this.#name} is ${address}, which is no server of the set that answers`;
  }
}

/** The connections to one Sentinel: one that is asked, and one on which it pushes. */
class SentinelLink {
  readonly #make: () => RedisClientLike;
  readonly #name: string;
  readonly #intervalMs: number;
  readonly #council: Council;
  readonly #context: AuthorityContext;
  /** Ends the pause before the next question. */
  #wake: () => void = () => {};

  constructor(
    make: () => RedisClientLike,
    name: string,
    intervalMs: number,
    council: Council,
    context: AuthorityContext,
  ) {
    this.#make = make;
    this.#name = name;
    this.#intervalMs = intervalMs;
    this.#council = council;
    this.#context = context;
  }

  async run(): Promise<void> {
    const { signal } = this.#context;
    while (!signal.aborted) {
      const wires: Wire<RedisClientLike>[] = [];
      const end = () => {
        for (const wire of wires) wire.lose(new Error('the connection to the Sentinel is over'));
      };
      signal.addEventListener('abort', end, { once: true });
      try {
        await this.#follow(wires);
      } catch (error) {
        if (!signal.aborted) this.#council.lose(this, error);
      } finally {
        end();
        signal.removeEventListener('abort', end);
      }
      await this.#pause();
    }
  }

  async #follow(wires: Wire<RedisClientLike>[]): Promise<void> {
    const asking = await this.#connect(wires);
    const pushing = await this.#connect(wires);
    pushing.client.on('message', () => this.#wake());
    // A connection on which nothing is pushed any more must be known to be dead
    pushing.onLost(reason => asking.lose(reason));
    await this.#inTime(pushing.client.call('SUBSCRIBE', '+switch-master', '+config-update-from'));
    for (;;) {
      const [word] = await Promise.all([
        this.#inTime(this.#ask(asking.client)),
        this.#inTime(pushing.client.call('PING')),
      ]);
      if (this.#context.signal.aborted) return;
      this.#council.hear(this, word);
      await this.#pause();
    }
  }

  async #connect(wires: Wire<RedisClientLike>[]): Promise<Wire<RedisClientLike>> {
    const { clock, signal } = this.#context;
    const late = () => new Error(`a Sentinel did not answer within ${deadlineMs} ms`);
    const wire = await withDeadline({ timeoutMs: deadlineMs, clock, signal, late }, stop =>
      Wire.connect(this.#make(), stop),
    );
    wire.rest();
    wires.push(wire);
    return wire;
  }

  async #ask(client: RedisClientLike): Promise<Word> {
    // While it promotes, MASTER has the new epoch with the address of before: the address is asked for after the epoch
    const [primary, replicas, place] = await Promise.all([
      client.call('SENTINEL', 'MASTER', this.#name),
      client.call('SENTINEL', 'REPLICAS', this.#name),
      client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.#name),
    ]);
    const { epoch, ...named } = serverOf(primary);
    if (place === null) throw new Error(`the Sentinel knows no ${this.#name} any more`);
    const address = (place as unknown[]).join(':');
    const all = [named, ...(replicas as unknown[]).map(serverOf)];
    const instances = all
      .filter(each => each.instance !== '')
      .map(each => [each.address, each.instance] as const);
    return { epoch, address, instances: new Map(instances) };
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    const { clock } = this.#context;
    const late = () => new Error(`a Sentinel did not answer within ${deadlineMs} ms`);
    return withDeadline({ timeoutMs: deadlineMs, clock, late }, () => work);
  }

  async #pause(): Promise<void> {
    const { clock, signal } = this.#context;
    const over = new AbortController();
    this.#wake = () => over.abort();
    await clock.sleep(this.#intervalMs, AbortSignal.any([signal, over.signal])).catch(() => {});
  }
}

/** The first of those who name the server that most name. */
function mostOf(words: readonly Word[]): Word | undefined {
  const count = ({ address }: Word) => words.filter(each => each.address === address).length;
  return words.reduce<Word | undefined>(
    (most, word) => (most === undefined || count(word) > count(most) ? word : most),
    undefined,
  );
}

function serverOf(reply: unknown): { address: string; instance: string; epoch: number } {
  const fields = new Map(pairsOf(reply));
  return {
    address: `${fields.get('ip')}:${fields.get('port')}`,
    instance: fields.get('runid') ?? '',
    epoch: Number(fields.get('config-epoch') ?? 0),
  };
}

/** A list in one version of the protocol, a map in the other. */
function pairsOf(reply: unknown): (readonly [string, string])[] {
  if (!Array.isArray(reply)) {
    const entries = reply instanceof Map ? [...reply] : Object.entries(reply as object);
    return entries.map(([name, value]) => [String(name), String(value)]);
  }
  return reply.flatMap((name, index) =>
    index % 2 === 0 ? [[String(name), String(reply[index + 1])] as const] : [],
  );
}
