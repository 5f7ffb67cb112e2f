import type { EndpointWithUrl } from '@ashlar/lb';
import type { Condition } from '../catalogue/condition.ts';
import type { CatalogueSettings, ReplicaCommand, ReplicaNotice } from '../catalogue/messages.ts';
import type { EvictionName } from '../evictions.ts';
import type { PolicyName } from '../policies.ts';
import { Child } from '../processes/child.ts';
import type { Announcement, Notice, ProxySettings } from '../proxy/messages.ts';
import type { SharedRedis } from './shared-redis.ts';
import { TierStates } from './tier-states.ts';
import { routed } from './warm-up.ts';

export interface FleetOptions {
  readonly policy: PolicyName;
  readonly replicas: number;
  readonly cache: number;
  readonly eviction: EvictionName;
  readonly loadMs: number;
  readonly seed: number;
  /** Of the products of each replica; 0 for none. */
  readonly shards: number;
  /** Of the proxy; 0 for a free one. */
  readonly port: number;
  /** Of the Redis that the caches of the replicas share, if they do. */
  readonly redisUrl: string | undefined;
}

/** What the replicas have in common. */
interface Shared {
  readonly redis: SharedRedis | undefined;
  readonly states: TierStates;
}

const catalogueProgram = new URL('../catalogue/main.js', import.meta.url);
const proxyProgram = new URL('../proxy/main.js', import.meta.url);

/**
 * The proxy and the replicas behind it, each a process of its own: two cores have three kinds of work, and the requests
 * of an open loop must start on time. So the process that sends them does nothing else, and a proxy that is busy shows
 * as latency, not as less load.
 */
export class Fleet implements AsyncDisposable {
  readonly policy: PolicyName;
  readonly #options: FleetOptions;
  readonly #shared: Shared;
  readonly #proxy: Child;
  readonly #running: Map<string, Child>;
  /** What discovery says; it learns of a death later than the balancer does. */
  #announced: readonly EndpointWithUrl[] = [];
  #joining: Promise<unknown> = Promise.resolve();
  #started: number;

  private constructor(options: FleetOptions, shared: Shared, proxy: Child, replicas: readonly Child[]) {
    this.policy = options.policy;
    this.#options = options;
    this.#shared = shared;
    this.#proxy = proxy;
    this.#running = new Map(replicas.map((child, at) => [replicaName(at + 1), child]));
    this.#started = replicas.length;
  }

  /** All processes start at once. Resolves when the balancer knows the replicas. @throws ChildError or RedisError, leaving none. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const { policy, port, replicas, redisUrl } = options;
    const redis = redisUrl === undefined ? undefined : await openRedis(redisUrl);
    const shared: Shared = { redis, states: new TierStates() };
    const outcomes = await Promise.allSettled([
      Child.start(proxyProgram, { policy, port } satisfies ProxySettings),
      ...Array.from({ length: replicas }, (_, at) => startReplica(at + 1, options, shared)),
    ]);
    const children = outcomes.flatMap(outcome => (outcome.status === 'fulfilled' ? outcome.value : []));
    try {
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
      const [proxy, ...others] = children;
      const fleet = new Fleet(options, shared, proxy!, others);
      await fleet.#announce(Array.from(fleet.#running, ([id, { url }]) => ({ id, url })));
      return fleet;
    } catch (error) {
      await Promise.all(children.map(child => child.close()));
      await redis?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of the proxy. */
  get url(): string {
    return this.#proxy.url;
  }

  /** Where each replica that runs is reached, past the balancer. */
  get replicaUrls(): ReadonlyMap<string, string> {
    return new Map(Array.from(this.#running, ([name, { url }]) => [name, url]));
  }

  /** The replicas that discovery knows. */
  get announced(): readonly string[] {
    return this.#announced.map(({ id }) => id);
  }

  onNotice(listener: (notice: Notice) => void): void {
    this.#proxy.onMessage(message => listener(message as Notice));
  }

  /** Calls back at once and at every change, with the replicas that have lost the tier that they share. */
  onTier(listener: (away: ReadonlySet<string>) => void): void {
    this.#shared.states.onChange(listener);
  }

  /**
   * Fills the caches of the replicas by these requests, as the policy would have sent them. Returns the requests of each
   * replica. @throws ChildError
   */
  async warm(keys: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const { policy, seed } = this.#options;
    const requests = routed(keys, { policy, endpoints: this.#announced, seed });
    const isWarmed = (message: unknown) => (message as ReplicaNotice).type === 'warmed';
    await Promise.all(
      Array.from(requests, async ([replica, own]) => {
        const child = this.#running.get(replica)!;
        const warmed = child.heard(isWarmed);
        child.send({ type: 'warm', keys: own } satisfies ReplicaCommand);
        await warmed;
      }),
    );
    return requests;
  }

  /** Makes a replica slow or failing. Discovery does not notice. */
  degrade(replica: string, condition: Condition): void {
    this.#running.get(replica)?.send({ type: 'condition', condition } satisfies ReplicaCommand);
  }

  /** Ends a replica with `SIGKILL`. Discovery does not notice. */
  async kill(replica: string): Promise<void> {
    const child = this.#running.get(replica);
    this.#running.delete(replica);
    await child?.kill();
    this.#shared.states.note(replica, true);
  }

  /** Discovery notices that a replica is gone. Resolves when the balancer knows. */
  async forget(replica: string): Promise<void> {
    await this.#announce(this.#announced.filter(({ id }) => id !== replica));
  }

  /** Starts one more replica. Resolves with its name when the balancer knows. */
  async join(): Promise<string> {
    const number = ++this.#started;
    const id = replicaName(number);
    const starting = startReplica(number, this.#options, this.#shared);
    this.#joining = starting.then(
      child => this.#running.set(id, child),
      () => {},
    );
    const child = await starting;
    await this.#announce([...this.#announced, { id, url: child.url }]);
    return id;
  }

  async close(): Promise<void> {
    await this.#joining;
    await Promise.all([this.#proxy, ...this.#running.values()].map(child => child.close()));
    await this.#shared.redis?.[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #announce(endpoints: readonly EndpointWithUrl[]): Promise<void> {
    this.#announced = endpoints;
    const known = this.#proxy.heard(message => (message as Notice).type === 'endpoints');
    this.#proxy.send({ endpoints } satisfies Announcement);
    await known;
  }
}

/** Only then its client is loaded, which takes a while. */
async function openRedis(url: string): Promise<SharedRedis> {
  const { SharedRedis } = await import('./shared-redis.ts');
  return SharedRedis.open(url);
}

function startReplica(number: number, options: FleetOptions, { redis, states }: Shared): Promise<Child> {
  const { cache, eviction, loadMs, seed, shards } = options;
  const replica = replicaName(number);
  const common = { replica, cache, eviction, loadMs, seed: seed + number, shards };
  const settings: CatalogueSettings = redis === undefined ? common : { ...common, tier: redis.settings };
  return Child.start(catalogueProgram, settings, message => {
    const notice = message as ReplicaNotice;
    if (notice.type === 'tier') states.note(replica, notice.connected);
  });
}

function replicaName(number: number): string {
  return `replica-${number}`;
}
