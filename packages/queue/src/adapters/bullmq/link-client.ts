import { EventEmitter } from 'node:events';
import { type Argument, type Link, replyCode, type Script, script } from '@ashlar/store/redis-connection';
import { outcomeOf } from '../../driver.ts';

type Values = readonly unknown[];
type Result = readonly [Error | null, unknown];

/**
 * The connection that BullMQ is given: its commands go over a link of ours, so that each has a deadline and an outcome,
 * and none is sent twice. BullMQ takes any object with the methods of its `IRedisClient`; those that our use of it calls
 * are here.
 */
export class LinkClient extends EventEmitter {
  /** A link queues by itself what has no connection yet. */
  readonly status = 'ready';
  readonly isCluster = false;
  readonly options: object = {};
  readonly #link: Link;
  readonly #timeoutMs: number;
  readonly #scripts: Map<string, Script>;
  readonly #fetch: (() => Promise<unknown>) | undefined;

  constructor(
    link: Link,
    timeoutMs: number,
    scripts: Map<string, Script> = new Map(),
    fetch?: () => Promise<unknown>,
  ) {
    super();
    this.setMaxListeners(0);
    this.#link = link;
    this.#timeoutMs = timeoutMs;
    this.#scripts = scripts;
    this.#fetch = fetch;
  }

  /** For the blocking connection of a worker, which is not used. */
  duplicate(): LinkClient {
    return new LinkClient(this.#link, this.#timeoutMs, this.#scripts);
  }

  /** The same, but for the command that hands out the next job: what `fetch` resolves with is its answer. */
  fetchingBy(fetch: () => Promise<unknown>): LinkClient {
    return new LinkClient(this.#link, this.#timeoutMs, this.#scripts, fetch);
  }

  async connect(): Promise<void> {}

  /** The link belongs to the driver, which closes it. */
  disconnect(): void {}

  async quit(): Promise<string> {
    return 'OK';
  }

  defineCommand(
    name: string,
    { numberOfKeys, lua }: { readonly numberOfKeys: number; readonly lua: string },
  ): void {
    if (!this.#scripts.has(name)) this.#scripts.set(name, script(numberOfKeys, lua));
    Object.defineProperty(this, name, { value: (args: Values) => this.runCommand(name, args) });
  }

  runCommand(name: string, args: Values): Promise<unknown> {
    if (this.#fetch !== undefined && name.startsWith('moveToActive:')) return this.#fetch();
    const { sha, source, keys } = this.#script(name);
    return this.#call('EVALSHA', [sha, keys, ...args.map(argument)], source);
  }

  /** By this, among others, BullMQ knows a client of its interface. Only what removes whole queues calls it. */
  scanStream(): never {
    throw new Error('the connection of the bullmq driver scans nothing');
  }

  hexists(key: string, field: string): Promise<unknown> {
    return this.#call('HEXISTS', [key, field]);
  }

  async hgetall(key: string): Promise<Record<string, string>> {
    const flat = (await this.#call('HGETALL', [key])) as readonly string[];
    const fields: Record<string, string> = {};
    for (let at = 0; at < flat.length; at += 2) fields[flat[at]!] = flat[at + 1]!;
    return fields;
  }

  /** Commands that are sent together. */
  pipeline(): LinkBatch {
    return new LinkBatch(calls => this.#together(calls));
  }

  /** Commands of which all are executed or, without an answer, none or all. */
  multi(): LinkBatch {
    return new LinkBatch(calls => this.#atomic(calls));
  }

  #call(command: string, args: readonly Argument[], source?: string): Promise<unknown> {
    const timeoutMs = this.#timeoutMs;
    const text = source === undefined ? {} : { source };
    return this.#link.call({ command, args, asBytes: false, outcome: 'Unknown', timeoutMs, ...text });
  }

  #script(name: string): Script {
    const found = this.#scripts.get(name);
    if (found === undefined) throw new Error(`BullMQ has not defined the command ${name}`);
    return found;
  }

  async #together(calls: readonly Call[]): Promise<Result[]> {
    const results = await Promise.all(
      calls.map(async ({ name, args }): Promise<Result> => {
        try {
          return [null, await this.runCommand(name, args)];
        } catch (error) {
          return [error as Error, undefined];
        }
      }),
    );
    for (const [error] of results) if (error !== null) resultsByError.set(error, results);
    return results;
  }

  async #atomic(calls: readonly Call[]): Promise<Result[]> {
    let results = await this.#transaction(calls);
    if (results.some(result => replyCode(result) === 'NOSCRIPT')) {
      for (const name of new Set(calls.map(({ name }) => name))) {
        await this.#call('SCRIPT', ['LOAD', this.#script(name).source]);
      }
      results = await this.#transaction(calls);
    }
    // Not all who add in a transaction look at each result
    const failed = results.find(result => result instanceof Error);
    if (failed !== undefined) throw failed;
    return results.map(result => [null, result]);
  }

  /** Sent in one turn of the event loop, so that no other command of the link comes between. */
  async #transaction(calls: readonly Call[]): Promise<readonly unknown[]> {
    const begun = this.#call('MULTI', []);
    const queued = calls.map(({ name, args }) => {
      const { sha, keys } = this.#script(name);
      return this.#call('EVALSHA', [sha, keys, ...args.map(argument)]);
    });
    const settled = await Promise.allSettled([begun, ...queued, this.#call('EXEC', [])]);
    const reasons = settled.flatMap(each => (each.status === 'rejected' ? [each.reason as Error] : []));
    if (reasons.length === 0) return (settled.at(-1) as PromiseFulfilledResult<readonly unknown[]>).value;
    if (settled[0]!.status === 'fulfilled') throw reasons[0];
    // Without its beginning, what followed was executed by itself, if it was sent
    throw reasons.find(reason => outcomeOf(reason) === 'Unknown') ?? reasons[0];
  }
}

const resultsByError = new WeakMap<Error, readonly Result[]>();

/** The results of all commands that were sent together with the one that failed so, in their order. */
export function resultsOf(error: unknown): readonly Result[] | undefined {
  return error instanceof Error ? resultsByError.get(error) : undefined;
}

interface Call {
  readonly name: string;
  readonly args: Values;
}

class LinkBatch {
  readonly #calls: Call[] = [];
  readonly #execute: (calls: readonly Call[]) => Promise<Result[]>;

  constructor(execute: (calls: readonly Call[]) => Promise<Result[]>) {
    this.#execute = execute;
  }

  runCommand(name: string, args: Values): this {
    this.#calls.push({ name, args });
    return this;
  }

  exec(): Promise<Result[]> {
    return this.#execute(this.#calls);
  }
}

/** As ioredis turns values into arguments. */
function argument(value: unknown): Argument {
  if (typeof value === 'number' || Buffer.isBuffer(value)) return value;
  return value === undefined || value === null ? '' : String(value);
}
