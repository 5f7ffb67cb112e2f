import { isIn } from '../../../keys/slices.ts';
import type { MovePlan, MoveSpec, Obstacle } from '../../../moves/move-backend.ts';
import { slotOfKey } from '../names.ts';
import type { RedisCallsLike } from '../running.ts';
import type { RedisShard } from '../shard.ts';

type Facts = ReadonlyMap<string, string>;

/** What stands in the way of a move between two shards, and what it costs. Looks at each key of the source, and changes nothing. */
export async function planOf(
  move: MoveSpec,
  source: RedisShard,
  target: RedisShard,
  maxValueBytes: number,
  signal: AbortSignal,
): Promise<MovePlan> {
  const at = await source.servers.write(factsOf, { signal });
  const to = await target.servers.write(factsOf, { signal });
  const obstacles = [
    ...[source, target].flatMap((shard, i) => nameObstacles(move, shard, i === 0 ? move.from : move.to)),
    ...serverObstacles(move.from, at),
    ...serverObstacles(move.to, to),
    ...pairObstacles(move, at, to),
  ];
  if (obstacles.length > 0) return { obstacles, warnings: [], tables: [] };
  const { rows, bytes, big } = await measured(move, source, maxValueBytes, signal);
  if (big !== undefined) {
    const words = `the value of ${big} has more than ${maxValueBytes} bytes, and moves as a whole: split it, or allow more by \`maxValueBytes\``;
    obstacles.push({ kind: 'big_value', shard: move.from, words });
  }
  const [max, used] = ['maxmemory', 'used_memory'].map(name => Number(to.get(name) ?? 0)) as [number, number];
  if (max > 0 && used + bytes > max) {
    const words = `${move.to} has room for ${Math.max(0, max - used)} bytes, and the keys have ${bytes}: raise \`maxmemory\``;
    obstacles.push({ kind: 'memory', shard: move.to, words });
  }
  const warnings = [
    ...persistenceWarnings(move.from, at),
    ...persistenceWarnings(move.to, to),
    ...pairWarnings(move, at, to),
  ];
  return { obstacles, warnings, tables: [{ table: 'keys', rows, bytes }] };
}

async function factsOf(redis: RedisCallsLike): Promise<Facts> {
  const lines = String(await redis.call('INFO')).split('\r\n');
  return new Map(lines.map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

function nameObstacles({ router }: MoveSpec, { names }: RedisShard, shard: string): Obstacle[] {
  if (names.map === router) return [];
  const words = `${shard} has the keys of the router ${names.map}, and the map is that of ${router}: give both the same name`;
  return [{ kind: 'name', shard, words }];
}

function serverObstacles(shard: string, facts: Facts): Obstacle[] {
  const found: Obstacle[] = [];
  const add = (kind: string, words: string) => found.push({ kind, shard, words: `${shard} ${words}` });
  const { name, version } = programOf(facts);
  if (Number.parseInt(version, 10) < 7) add('version', `is ${name} ${version}: a move needs 7.0 or later`);
  if (facts.get('redis_mode') === 'cluster')
    add('cluster', 'is a node of a Redis Cluster, which has slots of its own');
  if (facts.get('role') !== 'master') add('replica', 'is a replica: name its primary');
  if (facts.get('loading') === '1') add('loading', 'loads its data: wait for it');
  const policy = facts.get('maxmemory_policy') ?? 'noeviction';
  if (Number(facts.get('maxmemory') ?? 0) > 0 && policy !== 'noeviction')
    add('eviction', `evicts keys (${policy}), which nobody notes: set \`maxmemory-policy noeviction\``);
  return found;
}

function pairObstacles({ from, to }: MoveSpec, source: Facts, target: Facts): Obstacle[] {
  if (source.get('run_id') === target.get('run_id'))
    return [{ kind: 'same_server', shard: to, words: `${to} and ${from} are one server` }];
  const [has, gets] = [programOf(source), programOf(target)];
  if (restores(gets, has)) return [];
  const remedy = has.name === gets.name ? 'upgrade it first' : `make it a ${has.name}`;
  const words = `${to} is ${gets.name} ${gets.version}, which cannot restore what ${from} with ${has.name} ${has.version} dumps: ${remedy}`;
  return [{ kind: 'version', shard: to, words }];
}

function pairWarnings({ from, to }: MoveSpec, source: Facts, target: Facts): Obstacle[] {
  const [has, gets] = [programOf(source), programOf(target)];
  if (restores(has, gets)) return [];
  const words = `${from} is ${has.name} ${has.version}, which cannot restore what ${to} with ${gets.name} ${gets.version} dumps: what is written there cannot be rolled back`;
  return [{ kind: 'version', shard: from, words }];
}

interface Program {
  readonly name: 'Redis' | 'Valkey';
  readonly version: string;
}

/** Each Valkey calls itself Redis 7.2 besides, for clients that know no Valkey. */
function programOf(facts: Facts): Program {
  const valkey = facts.get('valkey_version');
  if (valkey !== undefined) return { name: 'Valkey', version: valkey };
  return { name: 'Redis', version: facts.get('redis_version') ?? '0' };
}

/** Whether a server can restore the dumps of another. Those of Valkey before 9 are those of Redis 7.2, which each Valkey knows. */
function restores(target: Program, source: Program): boolean {
  if (source.name === target.name) return !isNewer(source.version, target.version);
  const shared = '7.2';
  if (source.name === 'Redis') return !isNewer(source.version, shared);
  return Number.parseInt(source.version, 10) < 9 && !isNewer(shared, target.version);
}

/** By the first two numbers: the format of dumps changes with no smaller one. */
function isNewer(a: string, b: string): boolean {
  const [left, right] = [a, b].map(version => version.split('.').map(Number)) as [number[], number[]];
  return left[0]! > right[0]! || (left[0] === right[0] && (left[1] ?? 0) > (right[1] ?? 0));
}

function persistenceWarnings(shard: string, facts: Facts): Obstacle[] {
  if (facts.get('aof_enabled') === '1' || Number(facts.get('connected_slaves') ?? 0) > 0) return [];
  const words = `${shard} has no append-only file and no replica: a restart loses keys, and opens slots that have moved away`;
  return [{ kind: 'durability', shard, words }];
}

async function measured(move: MoveSpec, source: RedisShard, maxValueBytes: number, signal: AbortSignal) {
  let [rows, bytes, cursor] = [0, 0, '0'];
  let big: string | undefined;
  do {
    const sizes = await source.servers.write(
      async redis => {
        const [next, all] = (await redis.callBuffer(
          'SCAN',
          cursor,
          'MATCH',
          source.names.pattern,
          'COUNT',
          1_000,
        )) as [Buffer, Buffer[]];
        cursor = String(next);
        const keys = all.filter(key => {
          const slot = slotOfKey(source.names, String(key));
          return slot !== undefined && isIn(move.slices, slot);
        });
        return Promise.all(
          keys.map(async key => [key, Number(await redis.call('MEMORY', 'USAGE', key))] as const),
        );
      },
      { signal },
    );
    for (const [key, size] of sizes) {
      rows++;
      bytes += size;
      if (size > maxValueBytes) big ??= String(key);
    }
  } while (cursor !== '0');
  return { rows, bytes, big };
}
