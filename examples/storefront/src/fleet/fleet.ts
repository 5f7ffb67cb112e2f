import type { Endpoint } from '@ashlar/lb';
import type { Condition } from '../catalogue/condition.ts';
import type { CatalogueSettings } from '../catalogue/main.ts';
import type { PolicyName } from '../policies.ts';
import { Child } from '../processes/child.ts';
import type { Announcement, Notice, ProxySettings } from '../proxy/messages.ts';

export interface FleetOptions {
  readonly policy: PolicyName;
  readonly replicas: number;
  readonly cache: number;
  readonly loadMs: number;
  readonly seed: number;
  /** Of the proxy; 0 for a free one. */
  readonly port: number;
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
  readonly #proxy: Child;
  readonly #running: Map<string, Child>;
  /** What discovery says; it learns of a death later than the balancer does. */
  #announced: readonly Endpoint[] = [];
  #joining: Promise<unknown> = Promise.resolve();
  #started: number;

  private constructor(options: FleetOptions, proxy: Child, replicas: readonly Child[]) {
    this.policy = options.policy;
    this.#options = options;
    this.#proxy = proxy;
    this.#running = new Map(replicas.map((child, at) => [replicaName(at + 1), child]));
    this.#started = replicas.length;
  }

  /** All processes start at once. Resolves when the balancer knows the replicas. @throws ChildError, leaving none. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const { policy, port, replicas } = options;
    const outcomes = await Promise.allSettled([
      Child.start(proxyProgram, { policy, port } satisfies ProxySettings),
      ...Array.from({ length: replicas }, (_, at) => startReplica(at + 1, options)),
    ]);
    const children = outcomes.flatMap(outcome => (outcome.status === 'fulfilled' ? outcome.value : []));
    try {
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
      const [proxy, ...others] = children;
      const fleet = new Fleet(options, proxy!, others);
      await fleet.#announce(Array.from(fleet.#running, ([id, { url }]) => ({ id, url })));
      return fleet;
    } catch (error) {
      await Promise.all(children.map(child => child.close()));
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

  /** A replica is not well any more, and tells nobody. */
  afflict(replica: string, condition: Condition): void {
    this.#running.get(replica)?.send(condition);
  }

  /** Ends a replica with `SIGKILL` and tells nobody. */
  async kill(replica: string): Promise<void> {
    const child = this.#running.get(replica);
    this.#running.delete(replica);
    await child?.kill();
  }

  /** Discovery notices that a replica is gone. Resolves when the balancer knows. */
  async forget(replica: string): Promise<void> {
    await this.#announce(this.#announced.filter(({ id }) => id !== replica));
  }

  /** Starts one more replica. Resolves with its name when the balancer knows. */
  async join(): Promise<string> {
    const number = ++this.#started;
    const id = replicaName(number);
    const starting = startReplica(number, this.#options);
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
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #announce(endpoints: readonly Endpoint[]): Promise<void> {
    this.#announced = endpoints;
    const known = this.#proxy.heard(message => (message as Notice).type === 'endpoints');
    this.#proxy.send({ endpoints } satisfies Announcement);
    await known;
  }
}

function startReplica(number: number, { cache, loadMs, seed }: FleetOptions): Promise<Child> {
  const settings: CatalogueSettings = { replica: replicaName(number), cache, loadMs, seed: seed + number };
  return Child.start(catalogueProgram, settings);
}

function replicaName(number: number): string {
  return `replica-${number}`;
}
