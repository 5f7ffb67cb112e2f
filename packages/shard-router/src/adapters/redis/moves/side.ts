import type { Script } from '@ashlar/store/redis-connection';
import { LostCopyError, MoveBlockedError, StaleMoveError } from '../../../errors/moves.ts';
import { isIn, slotsOf } from '../../../keys/slices.ts';
import type { MoveSpec } from '../../../moves/move-backend.ts';
import { slotOfKey } from '../names.ts';
import { type RedisArgument, type RedisCallsLike, run, startsWith } from '../running.ts';
import type { RedisShard } from '../shard.ts';
import * as scripts from './scripts.ts';

/** A key of any bytes. */
export type Key = Buffer;

/** Keys that one script looks at. */
const atOnce = 200;

/** One of the two servers of a move, in one step of one worker. */
export class Side {
  readonly name: string;
  readonly shard: RedisShard;
  readonly move: MoveSpec;
  /** Which process of which history it is: another after a restart or a failover. */
  readonly identity: string;
  /** The identities of source and target of the copy that this server has, and ` turned` where the target was the source before. */
  readonly copied: string;
  /** Of a copy that has not come to its end: the identities, and the cursor at the source. */
  readonly cursor: string;
  readonly #fixed: readonly string[];
  readonly #signal: AbortSignal;

  private constructor(
    shard: RedisShard,
    name: string,
    move: MoveSpec,
    taken: readonly string[],
    fixed: readonly string[],
    signal: AbortSignal,
  ) {
    const [, identity, copied, cursor] = taken as [string, string, string, string];
    this.name = name;
    this.shard = shard;
    this.move = move;
    this.identity = identity;
    this.copied = copied;
    this.cursor = cursor;
    this.#fixed = fixed;
    this.#signal = signal;
  }

  /** Begins a step, which ends what is still on the way of those before it; a `look` does not. @throws StaleMoveError */
  static async take(
    shard: RedisShard,
    name: string,
    move: MoveSpec,
    { token, signal }: { readonly token: bigint; readonly signal: AbortSignal },
    how: 'step' | 'look' | 'end',
  ): Promise<Side> {
    signal.throwIfAborted();
    const { slots, moves } = shard.names;
    const args = [move.id, String(token), how];
    const taken = (await meant(move, name, () =>
      shard.servers.write(redis => run(redis, scripts.take, [slots, moves], args)),
    )) as string[];
    return new Side(shard, name, move, taken, [move.id, String(token), taken[0]!, taken[1]!], signal);
  }

  /** Whether it had the slots before, so that its copy is for a roll-back. */
  get isTurned(): boolean {
    return this.copied.endsWith(' turned');
  }

  get dirty(): string {
    return this.shard.names.dirty + this.move.id;
  }

  get touched(): string {
    return this.shard.names.touched + this.move.id;
  }

  get slots(): readonly number[] {
    return slotsOf(this.move.slices);
  }

  /**
   * Runs a script, unless this worker or this step is over. What was sent is waited for, also when the signal is aborted: or it would
   * run after the next step has begun.
   *
   * @throws StaleMoveError; LostCopyError when the server was replaced
   */
  async run(script: Script, ...args: readonly RedisArgument[]): Promise<unknown> {
    return this.with(redis => this.runOn(redis, script, ...args));
  }

  async with<T>(work: (redis: RedisCallsLike) => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted();
    return meant(this.move, this.name, () => this.shard.servers.write(work));
  }

  runOn(redis: RedisCallsLike, script: Script, ...args: readonly RedisArgument[]): Promise<unknown> {
    const { slots, moves } = this.shard.names;
    return run(redis, script, [slots, moves], [...this.#fixed, ...args], { isBinary: true });
  }

  /** Runs a script, and resolves when all replicas that follow have what it did: false when they had not in time. */
  durably(withinMs: number, script: Script, ...args: readonly RedisArgument[]): Promise<boolean> {
    return this.with(async redis => {
      await this.runOn(redis, script, ...args);
      const replicas = Number(
        /connected_slaves:(\d+)/.exec(String(await redis.call('INFO', 'replication')))?.[1],
      );
      if (replicas === 0) return true;
      return Number(await redis.call('WAIT', replicas, Math.max(1, Math.ceil(withinMs)))) >= replicas;
    });
  }

  /** The keys of the moved slots, as `SCAN` gives them: some twice. */
  async *keys(from = '0'): AsyncGenerator<{ readonly keys: readonly Key[]; readonly next: string }> {
    const { names } = this.shard;
    let cursor = from;
    do {
      const [next, all] = (await this.run(scripts.page, cursor, names.pattern, 1_000)) as [Buffer, Key[]];
      cursor = String(next);
      const keys = all.filter(key => {
        const slot = slotOfKey(names, String(key));
        return slot !== undefined && isIn(this.move.slices, slot);
      });
      yield { keys, next: cursor };
    } while (cursor !== '0');
  }

  /** Deletes the keys of the moved slots. */
  async clear(progress: (rows: number) => void = () => {}): Promise<void> {
    let rows = 0;
    for await (const { keys } of this.keys()) {
      for (const part of parts(keys)) {
        await this.run(scripts.remove, ...part);
        rows += part.length;
        progress(rows);
      }
    }
  }

  /** @throws MoveBlockedError when the server would stand still for too long */
  async assertSmall(keys: readonly Key[], maxBytes: number): Promise<void> {
    const sizes = await this.with(redis => Promise.all(keys.map(key => redis.call('MEMORY', 'USAGE', key))));
    const at = sizes.findIndex(size => Number(size ?? 0) > maxBytes);
    if (at >= 0) throw tooBig(this.move.id, String(keys[at]), Number(sizes[at]));
  }
}

export function tooBig(move: string, key: string, bytes: number): MoveBlockedError {
  const words = `${key} has ${bytes} bytes, and a value moves as a whole: split it, or allow more by \`maxValueBytes\``;
  return new MoveBlockedError(move, words);
}

/** Keys that go into one script each. */
export function* parts<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < all.length; start += atOnce) yield all.slice(start, start + atOnce);
}

async function meant<T>(move: MoveSpec, shard: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (startsWith(error, 'STALE')) throw new StaleMoveError(move.id, { cause: error });
    if (startsWith(error, 'LOST'))
      throw new LostCopyError(move.id, `${shard} has another primary, or was restarted`, { cause: error });
    throw error;
  }
}
