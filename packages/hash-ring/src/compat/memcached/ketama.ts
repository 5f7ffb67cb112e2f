import { boolean, describe, InvalidOptionError, oneOf, type RulesFor, readOptions } from '@ashlar/core';
import { bytesOf } from '../../hash/key-bytes.ts';
import type { Placement } from '../../placement.ts';
import { Continuum } from '../../ring/continuum.ts';
import { type ByteHash, hashOf } from '../hash/key-reader.ts';
import { requireRoom } from '../system/room.ts';
import {
  type CheckedSystemNode,
  type NamedServer,
  namedServers,
  type SystemNode,
  systemNodes,
  systemRules,
  upOnly,
} from '../system/system-nodes.ts';
import { CirclePlacement } from '../system/system-placement.ts';
import { type LibmemcachedHash, libmemcachedHashes } from './hashes.ts';
import { ketamaCircle } from './ketama-circle.ts';

export interface KetamaOptions {
  /** `MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED` when true, `MEMCACHED_BEHAVIOR_KETAMA` when false. Default: true. */
  readonly weighted?: boolean;
  /**
   * `MEMCACHED_BEHAVIOR_HASH`. Weighted, it hashes the keys only: the points are always MD5. Default: `md5` if weighted,
   * else `one_at_a_time`, which libmemcached calls `default`.
   */
  readonly hash?: LibmemcachedHash;
}

const rules = {
  weighted: boolean(true),
  hash: oneOf(undefined, Object.keys(libmemcachedHashes) as LibmemcachedHash[]),
} satisfies RulesFor<KetamaOptions>;

const nodeRules = systemRules({ min: 1, max: 2 ** 32 - 1 });

/**
 * The servers of a memcached client that distributes by ketama as libmemcached does (pylibmc, PHP's memcached, …).
 *
 * The `id` is `host:port`, or `host` for port 11211, which is not hashed, or the path of a unix socket. Weights are
 * integers from 1 to 2^32 - 1, and relative: a change of one moves keys of all. A server that is too light for a point
 * owns no key. Unweighted, a server has 100 points and no weight.
 *
 * A server that is `down` is as with `MEMCACHED_BEHAVIOR_REMOVE_FAILED_SERVERS`: the circle is built without it.
 * libmemcached defines no order of preference; here it is that of the points that follow.
 *
 * From libmemcached/hosts.cc and hash.cc; checked against libmemcached 1.1.4. The npm package `hashring` computes in
 * doubles and gives 2 % of the keys to other servers at some numbers of servers.
 *
 * @throws InvalidOptionError, DuplicateNodeError
 */
export function ketama(nodes: Iterable<string | SystemNode>, options: KetamaOptions = {}): Placement {
  const { weighted, hash: name = weighted ? 'md5' : 'one_at_a_time' } = readOptions('ketama', options, rules);
  const hash = libmemcachedHashes[name];
  const servers = systemNodes(nodeRules, nodes);
  if (!weighted) requireNoWeights(servers);
  const live = upOnly(namedServers('id', servers, ({ id }) => withoutDefaultPort(id)));
  const circle = weighted ? ketamaCircle(live) : evenCircle(live, hash);
  return new CirclePlacement(servers, circle, key => circle.successor(hashOf(key, hash)));
}

/** What ketama hashes of `host:port`. */
export function withoutDefaultPort(address: string): string {
  return address.startsWith('/') ? `${address}:0` : address.replace(/:11211$/, '');
}

const pointsPerServer = 100;

/** A point for each hash of `name-0` to `name-99`. */
function evenCircle(servers: readonly NamedServer[], hash: ByteHash): Continuum {
  requireRoom(servers.length * pointsPerServer);
  const points = new Uint32Array(servers.length * pointsPerServer);
  const owners = new Uint32Array(points.length);
  for (let at = 0; at < points.length; at++) {
    const { owner, name } = servers[Math.floor(at / pointsPerServer)]!;
    const bytes = bytesOf(`${name}-${at % pointsPerServer}`);
    points[at] = hash(bytes, bytes.length);
    owners[at] = owner;
  }
  return Continuum.of(points, owners, (a, b) => a < b);
}

/** libmemcached turns to the weighted circle when a server with a weight is added, and back when the behavior is set later. */
function requireNoWeights(servers: readonly CheckedSystemNode[]): void {
  const heavy = servers.find(({ weight }) => weight !== 1);
  if (heavy === undefined) return;
  throw new InvalidOptionError(
    'weight',
    `ketama with \`weighted: false\` has no weights, but node ${describe(heavy.id)} has weight ${heavy.weight}`,
  );
}
