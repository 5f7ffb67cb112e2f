import { MoveRefusedError } from '../errors/moves.ts';
import type { MoveSpec } from './move-backend.ts';
import type { Obstacle } from './obstacle.ts';

type Shards<T> = Readonly<Record<string, T>>;

/** The shards of a move that a backend was not given. */
export function unknownShards(
  { from, to }: Pick<MoveSpec, 'from' | 'to'>,
  shards: Shards<unknown>,
): Obstacle[] {
  return [...new Set([from, to])].filter(shard => !Object.hasOwn(shards, shard)).map(obstacleOf);
}

/** A shard that a backend was given. @throws MoveRefusedError when it was not */
export function knownShard<T>(shards: Shards<T>, name: string): T {
  if (Object.hasOwn(shards, name)) return shards[name]!;
  throw new MoveRefusedError('a shard is not known', [obstacleOf(name)]);
}

function obstacleOf(shard: string): Obstacle {
  return { kind: 'unknown_shard', shard, words: `there is no shard ${shard} among those of the backend` };
}
