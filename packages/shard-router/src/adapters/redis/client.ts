import { CrossShardError, WrongShardError } from '../../errors/routing.ts';
import { InvalidQueryError } from '../../errors/statements.ts';
import { commandsSource, evalSource } from './checked-scripts.ts';
import { type Names, tagOf } from './names.ts';
import { type RedisArgument, type RedisCallsLike, run, scriptOf, startsWith } from './running.ts';

/** A command with its arguments: `['SET', key, value]`. */
export type RedisCommand = readonly [command: string, ...args: RedisArgument[]];

/** Of a command: a script has no room for more. */
const longest = 7_000;

export interface ClientOptions {
  readonly shard: string;
  readonly names: Names;
  /** The slots that the work is for. */
  readonly slots: readonly number[];
  readonly isRead: boolean;
  /** Takes what is to run later, all at once. */
  readonly queue?: RedisCommand[] | undefined;
}

/**
 * What work on a slot of a Redis shard gets. Each call looks, in the same instant at the server, whether the slot can be written there:
 * so a write is refused, with WrongShardError, as soon as its slot has moved. All keys begin with `tag`; others are refused, and so
 * is what has no key. Commands answer as they do in ioredis. Blocking commands do not wait.
 */
export class RedisShardClient {
  readonly #redis: RedisCallsLike;
  readonly #options: ClientOptions;

  constructor(redis: RedisCallsLike, options: ClientOptions) {
    this.#redis = redis;
    this.#options = options;
  }

  /** What each key of the slot begins with, as `{shards:110}:`. @throws CrossShardError when the work is for several slots */
  get tag(): string {
    return tagOf(this.#options.names, this.#slot);
  }

  /**
   * Runs a command. In a transaction it answers `QUEUED`, and runs with the others when the work is over.
   *
   * @throws CrossShardError when a key is not of the slot; InvalidQueryError when there is none; WrongShardError
   */
  async call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#one([command, ...args], false);
  }

  /** As `call`; texts are answered as bytes. */
  async callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#one([command, ...args], true);
  }

  /**
   * Runs commands together: nobody sees some of them, and none runs if one is refused. Where one fails at what it finds, as a command
   * for another type of value does, the others run: its place in the answers has the error.
   *
   * @throws as `call`
   */
  async multi(commands: readonly RedisCommand[]): Promise<readonly unknown[]> {
    const { queue } = this.#options;
    if (queue === undefined) return this.#send(commands, false);
    queue.push(...commands);
    return commands.map(() => 'QUEUED');
  }

  /** Runs a Lua script that writes no other keys than these. Not in a transaction. @throws as `call` */
  async eval(source: string, keys: readonly string[], args: readonly RedisArgument[] = []): Promise<unknown> {
    const { isRead, names, queue } = this.#options;
    if (queue !== undefined) throw new InvalidQueryError('a script runs alone: call it in a `write`');
    return this.#told(async () =>
      run(
        this.#redis,
        scriptOf(evalSource(source, isRead)),
        [...keys, names.slots],
        [...this.#guard(), ...args],
        {
          isRead,
        },
      ),
    );
  }

  async #one(command: RedisCommand, isBinary: boolean): Promise<unknown> {
    const { queue } = this.#options;
    if (queue !== undefined) {
      queue.push(command);
      return 'QUEUED';
    }
    const [reply] = await this.#send([command], isBinary);
    if (reply instanceof Error) throw this.#meant(reply);
    return reply;
  }

  async #send(commands: readonly RedisCommand[], isBinary: boolean): Promise<readonly unknown[]> {
    const { isRead, names } = this.#options;
    const long = commands.find(command => command.length > longest);
    if (long !== undefined)
      throw new InvalidQueryError(
        `${long[0]} has ${long.length - 1} arguments, and a shard of Redis takes ${longest - 1} at once: split it`,
      );
    return this.#told(async () => {
      const all = commands.flatMap(command => [command.length, ...command]);
      const args = [...this.#guard(), commands.length, ...all];
      const replies = await run(this.#redis, scriptOf(commandsSource), [names.slots], args, {
        isRead,
        isBinary,
      });
      return replies as unknown[];
    });
  }

  #guard(): RedisArgument[] {
    return [this.tag, this.#slot, this.#options.names.dirty];
  }

  get #slot(): number {
    const { slots } = this.#options;
    if (slots.length === 1) return slots[0]!;
    throw new CrossShardError(
      `a call to Redis is for one slot, not for ${slots.length}`,
      'take `router.on(key)` of one key',
    );
  }

  async #told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#meant(error);
    }
  }

  #meant(error: unknown): unknown {
    const { shard, slots } = this.#options;
    if (startsWith(error, 'WRONGSHARD')) return new WrongShardError(shard, { cause: error });
    if (startsWith(error, 'OTHERSLOT ')) {
      const key = error.message.slice('OTHERSLOT '.length).split(' script: ')[0];
      return new CrossShardError(
        `the key ${key} is not of slot ${slots[0]}`,
        `begin it with \`${this.tag}\``,
      );
    }
    if (startsWith(error, 'ELSEWHERE ')) {
      const command = error.message.slice('ELSEWHERE '.length).split(' script: ')[0];
      return new InvalidQueryError(
        `a shard of Redis cannot run ${command}: the key would be in another database of the server, of which a move knows nothing`,
      );
    }
    if (startsWith(error, 'NOKEYS '))
      return new InvalidQueryError(`a shard of Redis cannot run what has no keys: ${error.message.slice(7)}`);
    return error;
  }
}
