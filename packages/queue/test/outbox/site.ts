import { eventually } from '@workspace/services';
import pg from 'pg';
import {
  type Capabilities,
  type Driver,
  type MemoryCapabilities,
  memoryDriver,
  messages,
  type OutgoingMessage,
  type Published,
  Queue,
} from '../../src/index.ts';
import { type OutboxDriver, type OutboxOptions, outbox } from '../../src/outbox.ts';
import type { PoolLike } from '../../src/transactions/pool.ts';
import { ofPool } from '../transactions/clients.ts';

let tables = 0;

export interface Messages {
  order: { readonly n: number };
  other: { readonly n: number };
}

/** A driver in memory that keeps what was published to it, and may fail. */
export class Recorder {
  readonly driver: Driver<MemoryCapabilities>;
  /** The payloads' numbers, in the order of their confirmation. */
  readonly numbers: number[] = [];
  readonly ids: string[] = [];
  /** Called before each publish: what it returns is the answer for that message. */
  answer: (message: OutgoingMessage, topic: string) => Published | Promise<Published> = () => ({ ok: true });

  constructor() {
    const memory = memoryDriver();
    const methods = ['declare', 'consume', 'inspect', 'redrive', 'purge', 'stats'] as const;
    const bound = Object.fromEntries(
      methods.map(name => [name, (memory[name] as (...args: unknown[]) => unknown).bind(memory)]),
    );
    this.driver = {
      ...bound,
      kind: 'recorder',
      capabilities: memory.capabilities,
      leaseMs: memory.leaseMs,
      publish: async (topic: string, batch: readonly OutgoingMessage[]) => {
        const answers: Published[] = [];
        for (const message of batch) {
          const answer = await this.answer(message, topic);
          answers.push(answer);
          if (!answer.ok) continue;
          this.ids.push(message.id);
          this.numbers.push((JSON.parse(Buffer.from(message.body).toString()) as { n: number }).n);
        }
        return answers;
      },
      [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
    } as unknown as Driver<MemoryCapabilities>;
  }
}

/** A database with a table for an outbox, and whatever is opened over it; disposing ends and drops all. */
export class OutboxSite implements AsyncDisposable {
  readonly table: string = `outbox_${process.pid}_${++tables}`;
  readonly pool: pg.Pool;
  readonly #url: string;
  readonly #open: (() => Promise<unknown>)[] = [];

  constructor(url: string) {
    this.#url = url;
    this.pool = this.newPool();
  }

  newPool(config: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ connectionString: this.#url, max: 20, ...config });
    pool.on('error', () => {}); // Its end does not wait for that of its sessions, which the server's end ends
    this.#open.push(() => pool.end());
    return pool;
  }

  driver<K extends Capabilities>(over: Driver<K>, options: Partial<OutboxOptions> = {}): OutboxDriver<K> {
    const pool = options.pool ?? (this.pool as PoolLike);
    const driver = outbox(over, { table: this.table, random: () => 1, ...options, pool });
    this.#open.push(() => driver[Symbol.asyncDispose]());
    return driver;
  }

  queue<K extends Capabilities>(driver: Driver<K>): Queue<Messages, K> {
    const queue = new Queue(driver, { messages: messages<Messages>() });
    this.#open.push(() => queue.close());
    return queue;
  }

  /** To be done before the pool ends. */
  afterwards(work: () => Promise<unknown>): void {
    this.#open.splice(1, 0, work);
  }

  transaction<T>(work: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
    return ofPool(this.pool, work);
  }

  async sql(text: string): Promise<Record<string, unknown>[]> {
    return (await this.pool.query(text)).rows;
  }

  async waiting(): Promise<number> {
    const [row] = await this.sql(`SELECT count(*) FROM ${this.table} WHERE lane >= 0`);
    return Number(row?.['count']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const [ownPool, ...rest] = this.#open;
    for (const close of rest.reverse()) await close();
    await this.sql(`DROP TABLE IF EXISTS ${this.table}`);
    await ownPool!();
  }
}

export const soon = { withinMs: 20_000 };

export function settles(look: () => void): Promise<void> {
  return eventually(async () => look(), soon);
}
