import type { Cluster, Shop } from '../clusters/cluster.ts';

export type Condition = 'runs' | 'is killed' | 'is stopped' | 'has its replay paused';

interface Step {
  readonly told: string;
  readonly to: Condition;
  /** `undefined` where no server can do it. */
  act(): Promise<void> | undefined;
}

/** What is done to the servers, each thing after the one before. */
export class Harm implements AsyncDisposable {
  /** The index of the one that keys are for. */
  chosen = 0;
  readonly #cluster: Cluster;
  readonly #shop: Shop;
  readonly #tell: (event: string) => void;
  readonly #conditions = new Map<string, Condition>();
  #doing: Promise<void> = Promise.resolve();

  constructor(cluster: Cluster, shop: Shop, tell: (event: string) => void) {
    this.#cluster = cluster;
    this.#shop = shop;
    this.#tell = tell;
  }

  conditionOf(id: string): Condition {
    return this.#conditions.get(id) ?? 'runs';
  }

  kill(id: string): Promise<void> {
    return this.#do(id, condition =>
      condition === 'is killed' ? undefined : this.#step('is killed', () => this.#cluster.kill(id)),
    );
  }

  stop(id: string): Promise<void> {
    return this.#do(id, condition =>
      condition === 'runs' || condition === 'has its replay paused'
        ? this.#step('is stopped', () => this.#cluster.stop(id))
        : undefined,
    );
  }

  pauseReplay(id: string): Promise<void> {
    return this.#do(id, condition =>
      condition === 'runs'
        ? this.#step('has its replay paused', () => this.#cluster.pauseReplay?.(id))
        : undefined,
    );
  }

  /** Undoes what was done to it; an earlier primary that runs becomes a replica, where that can be. */
  undo(id: string): Promise<void> {
    return this.#do(id, condition => {
      switch (condition) {
        case 'is killed':
          return { told: 'is started again', to: 'runs', act: () => this.#cluster.start(id) };
        case 'is stopped':
          return { told: 'goes on', to: 'runs', act: () => this.#cluster.resume(id) };
        case 'has its replay paused':
          return { told: 'goes on', to: 'runs', act: () => this.#cluster.resumeReplay?.(id) };
        default:
          return this.#rejoining(id);
      }
    });
  }

  press(key: string): void {
    const { ids } = this.#cluster;
    const id = ids[this.chosen]!;
    if (/[123]/.test(key)) this.chosen = Number(key) - 1;
    else if (key === 'k') void this.kill(id);
    else if (key === 's') void this.stop(id);
    else if (key === 'p') void this.pauseReplay(id);
    else if (key === 'r') void this.undo(id);
  }

  /** No server stays stopped. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#doing;
    for (const id of this.#cluster.ids) if (this.conditionOf(id) === 'is stopped') await this.undo(id);
  }

  #rejoining(id: string): Step | undefined {
    const { rejoin } = this.#cluster;
    const server = this.#shop.snapshot().servers.find(each => each.id === id);
    if (rejoin === undefined || server?.isFenced !== true) return undefined;
    return { told: 'follows the primary of today', to: 'runs', act: () => rejoin(id) };
  }

  #step(to: Condition, act: Step['act']): Step {
    return { told: to, to, act };
  }

  /** Does what is chosen when its turn comes, by the condition of then. What fails is told. */
  #do(id: string, choose: (condition: Condition) => Step | undefined): Promise<void> {
    this.#doing = this.#doing.then(async () => {
      const step = choose(this.conditionOf(id));
      if (step === undefined) return;
      try {
        const acting = step.act();
        if (acting === undefined)
          return this.#tell(`${id} cannot do that: ${this.#cluster.title} has no such thing`);
        this.#tell(`${id} ${step.told}`);
        await acting;
        this.#conditions.set(id, step.to);
      } catch (error) {
        this.#tell(`${id}: ${(error as Error).message}`);
      }
    });
    return this.#doing;
  }
}
