import {
  boolean,
  type Checked,
  describe,
  InvalidOptionError,
  integer,
  oneOf,
  type RulesFor,
  readOptions,
} from '@ashlar/core';
import type { Key, Placement } from '../../placement.ts';
import { Continuum } from '../../ring/continuum.ts';
import { hashOf } from '../hash/key-reader.ts';
import { requireRoom } from '../system/room.ts';
import { type CheckedSystemNode, type SystemNode, systemNodes, systemRules } from '../system/system-nodes.ts';
import { CirclePlacement } from '../system/system-placement.ts';
import { fullHash, haproxyHashes } from './hashes.ts';

/** A `server` line of a backend. Its `id` is yours to choose: HAProxy hashes the number alone. */
export interface HaproxyNode extends SystemNode {
  /** The server's `id` parameter, 1 to 2^31 - 1. Without it a server has the next free number from its position on. */
  readonly serverId?: number;
}

export interface HaproxyOptions {
  /** The function in `hash-type consistent <function>`. Default: `sdbm`, with `avalanche`. */
  readonly hash?: 'sdbm' | 'djb2' | 'wt6' | 'crc32';
  /** Whether `avalanche` follows the function. Default: true without `hash`, else false, as in HAProxy. */
  readonly avalanche?: boolean;
}

export const haproxyRules: RulesFor<HaproxyOptions> = {
  hash: oneOf(undefined, Object.keys(haproxyHashes) as (keyof typeof haproxyHashes)[]),
  avalanche: boolean(),
};

const nodeRules: RulesFor<HaproxyNode> = {
  ...systemRules({ min: 0, max: 256 }),
  serverId: integer(undefined, { min: 1, max: 2 ** 31 - 1 }),
};

/**
 * The servers of a backend with `hash-type consistent` in HAProxy.
 *
 * The key is what is hashed: the value of `balance hdr(name)`, `url_param`, the path up to `?` of `uri`. Weights are 0 to
 * 256; HAProxy's default of 1 makes 16 points, which spreads keys unevenly. The order of the servers counts unless each
 * has a `serverId`.
 *
 * A server that is `down`, `disabled` there, or of weight 0 is not on the circle, yet has its number. A key belongs to
 * the nearest point on either side; from there on the order of preference is that of the points that follow, as with
 * `option redispatch`. For an empty header or parameter HAProxy takes turns; here the hash holds.
 *
 * From src/lb_chash.c and src/hash.c; checked against HAProxy 2.6.12. Versions 3.0 to 3.2 hashed numbers twice until
 * they were mended, and place otherwise.
 *
 * @throws InvalidOptionError, DuplicateNodeError
 */
export function haproxyHash(nodes: Iterable<string | HaproxyNode>, options: HaproxyOptions = {}): Placement {
  const settings = readOptions('haproxyHash', options, haproxyRules);
  return haproxyPlacement(haproxyServers(nodes), settings);
}

export type HaproxyServers = readonly CheckedSystemNode<HaproxyNode>[];

/** @throws InvalidOptionError, DuplicateNodeError */
export function haproxyServers(nodes: Iterable<string | HaproxyNode>): HaproxyServers {
  return systemNodes(nodeRules, nodes);
}

/** Points of a server for each unit of its weight, which HAProxy calls effective weight. */
export const pointsPerWeight = 16;

/** No server has more points than this: the numbers of its points begin at as many times its own. */
const pointsPerServer = 4096;

/** `haproxyHash` of nodes that have been checked. */
export function haproxyPlacement(servers: HaproxyServers, settings: Checked<typeof haproxyRules>): Placement {
  const hash = haproxyHashes[settings.hash ?? 'sdbm'];
  const avalanche = settings.avalanche ?? settings.hash === undefined;
  const circle = circleOf(servers);
  const locate = (key: Key) => {
    const hashed = hashOf(key, hash);
    return nearest(circle, avalanche ? fullHash(hashed) : hashed);
  };
  return new CirclePlacement(servers, circle, locate);
}

function circleOf(servers: HaproxyServers): Continuum {
  const count = servers.reduce((sum, { weight, down }) => sum + (down ? 0 : weight * pointsPerWeight), 0);
  requireRoom(count);
  const numbers = numbersOf(servers);
  const points = new Uint32Array(count);
  const owners = new Uint32Array(count);
  let at = 0;
  servers.forEach(({ weight, down }, owner) => {
    for (let i = 0; i < (down ? 0 : weight * pointsPerWeight); i++, at++) {
      points[at] = fullHash(Math.imul(numbers[owner]!, pointsPerServer) + i);
      owners[at] = owner;
    }
  });
  return Continuum.of(points, owners, (a, b) => a < b);
}

/** The point on either side that is nearer to the hash, the one before it if both are as near. */
function nearest(circle: Continuum, hash: number): number {
  const { points, size } = circle;
  const next = circle.successor(hash) % size;
  const previous = (next === 0 ? size : next) - 1;
  return (hash - points[previous]!) >>> 0 <= (points[next]! - hash) >>> 0 ? previous : next;
}

/** A server without a number has the next one that is free, counting on from the server before it. */
function numbersOf(servers: readonly HaproxyNode[]): number[] {
  const taken = new Map<number, string>();
  for (const { id, serverId } of servers) {
    if (serverId === undefined) continue;
    const other = taken.get(serverId);
    if (other !== undefined) {
      throw new InvalidOptionError(
        'serverId',
        `nodes ${describe(other)} and ${describe(id)} both have the \`serverId\` ${serverId}`,
      );
    }
    taken.set(serverId, id);
  }
  let number = 0;
  return servers.map(({ serverId }) => {
    number++;
    while (serverId === undefined && taken.has(number)) number++;
    return serverId ?? number;
  });
}
