import type { RedisShardClient } from '../../src/adapters/redis.ts';
import type { ShardRouter } from '../../src/router.ts';

/** What became of the writes of one key. Each adds one, so that a lost or doubled one shows. */
interface Count {
  acknowledged: number;
  /** Answered with an error that does not say whether they were executed. */
  unknown: number;
}

export interface Report {
  readonly writes: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly stale: number;
  /** What calls have rejected with, each once. */
  readonly errors: readonly string[];
}

/** Writers and readers of some keys through a router, one of each a key, until `end`. */
export class Traffic {
  readonly #router: ShardRouter<RedisShardClient>;
  readonly #counts = new Map<number, Count>();
  readonly #errors = new Set<string>();
  readonly #running: Promise<void>[] = [];
  #stale = 0;
  #isOver = false;

  constructor(router: ShardRouter<RedisShardClient>, keys: readonly number[]) {
    this.#router = router;
    for (const key of keys) {
      const count = { acknowledged: 0, unknown: 0 };
      this.#counts.set(key, count);
      this.#running.push(this.#write(key, count), this.#read(key, count));
    }
  }

  /** Acknowledged writes so far. */
  get writes(): number {
    return [...this.#counts.values()].reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  /** Stops, and compares what is there with what was answered. */
  async end(): Promise<Report> {
    this.#isOver = true;
    await Promise.all(this.#running);
    let [lost, duplicated] = [0, 0];
    for (const [key, { acknowledged, unknown }] of this.#counts) {
      const value = await this.#valueOf(key);
      lost += Math.max(0, acknowledged - value);
      duplicated += Math.max(0, value - acknowledged - unknown);
    }
    return { writes: this.writes, lost, duplicated, stale: this.#stale, errors: [...this.#errors] };
  }

  async #write(key: number, count: Count): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#router.on(key).write(db => db.call('INCR', `${db.tag}count of ${key}`));
        count.acknowledged++;
      } catch (error) {
        if ((error as { outcome?: string }).outcome !== 'NotExecuted') count.unknown++;
        this.#errors.add(String((error as { code?: unknown }).code ?? error));
      }
    }
  }

  async #read(key: number, count: Count): Promise<void> {
    while (!this.#isOver) {
      const least = count.acknowledged;
      try {
        if ((await this.#valueOf(key)) < least) this.#stale++;
      } catch (error) {
        this.#errors.add(String((error as { code?: unknown }).code ?? error));
      }
    }
  }

  async #valueOf(key: number): Promise<number> {
    return Number(await this.#router.on(key).read(db => db.call('GET', `${db.tag}count of ${key}`)));
  }
}
