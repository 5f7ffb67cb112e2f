import {
  describe,
  InvalidOptionError,
  oneOf,
  type Rule,
  type RulesFor,
  readOptions,
  refused,
} from '@ashlar/core';
import { bytesOf } from '../../hash/key-bytes.ts';
import type { Owners } from '../../nodes/preference.ts';
import { nameRule } from '../../nodes/read-nodes.ts';
import type { Key, Placement } from '../../placement.ts';
import { narrowToTag, reader } from '../hash/key-reader.ts';
import { entriesOf } from '../system/room.ts';
import {
  byCodePoint,
  type NamedServer,
  namedServers,
  type SystemNode,
  systemNodes,
  systemRules,
  upOnly,
} from '../system/system-nodes.ts';
import { CirclePlacement } from '../system/system-placement.ts';
import { type TwemproxyHash, twemproxyHashes } from './hashes.ts';
import { withoutDefaultPort } from './ketama.ts';
import { ketamaCircle } from './ketama-circle.ts';

/** An entry of a pool's `servers`: its `id` is `host:port`, or the path of a unix socket. */
export interface TwemproxyNode extends SystemNode {
  /** The name behind the entry, which is hashed in place of the address. */
  readonly name?: string;
}

export interface TwemproxyOptions {
  /** `hash` of the pool. Default: `fnv1a_64`. */
  readonly hash?: TwemproxyHash;
  /** `distribution` of the pool. Default: `ketama`. */
  readonly distribution?: 'ketama' | 'modula';
  /** `hash_tag`, two ASCII characters: of a key that has both, what is between them is hashed unless it is empty. Default: none. */
  readonly hashTag?: string;
}

const tagRule: Rule<string | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value.length === 2 && bytesOf(value).length === 2) return value;
  throw refused(option, 'two ASCII characters', value, 'write `{}` in quotes');
};

const rules = {
  hash: oneOf('fnv1a_64', Object.keys(twemproxyHashes) as TwemproxyHash[]),
  distribution: oneOf('ketama', ['ketama', 'modula']),
  hashTag: tagRule,
} satisfies RulesFor<TwemproxyOptions>;

const nodeRules: RulesFor<TwemproxyNode> = { ...systemRules({ min: 1, max: 2 ** 31 - 1 }), name: nameRule };

/**
 * The servers of a pool of twemproxy (nutcracker).
 *
 * Weights are integers from 1 to 2^31 - 1. With `ketama` they are relative, as in `ketama`; `modula` has an entry for
 * each unit of weight. A server that is `down` is as with `auto_eject_hosts`: placed without it. twemproxy retries nowhere
 * else; the order of preference is that of the points, or entries, that follow.
 *
 * An empty key, which only a `redis: true` pool can have, is taken for hash 0 by twemproxy; here it is hashed.
 *
 * From src/hashkit and src/nc_server.c; checked against nutcracker 0.5.0 on x86, where `char` is signed.
 *
 * @throws InvalidOptionError, also for a name so long that twemproxy reads beyond its buffer, DuplicateNodeError
 */
export function twemproxyHash(
  nodes: Iterable<string | TwemproxyNode>,
  options: TwemproxyOptions = {},
): Placement {
  const { hash: hashName, distribution, hashTag: tag } = readOptions('twemproxyHash', options, rules);
  const hash = twemproxyHashes[hashName];
  const servers = systemNodes(nodeRules, nodes);
  const live = upOnly(namedServers('name', servers, ({ id, name }) => requireShort(name ?? nameOf(id))));
  const hashed = (key: Key) => {
    reader.read(key);
    if (tag !== undefined) narrowToTag(tag.charCodeAt(0), tag.charCodeAt(1));
    return hash(reader.bytes, reader.length);
  };
  const { circle, placeOf } = distributions[distribution](live.sort((a, b) => byLength(a.name, b.name)));
  return new CirclePlacement(servers, circle, key => placeOf(hashed(key)));
}

/** The order into which twemproxy brings its servers. */
function byLength(a: string, b: string): number {
  return bytesOf(a).length - bytesOf(b).length || byCodePoint(a, b);
}

const distributions = { ketama: onCircle, modula: inList };

interface Placed {
  readonly circle: { readonly owners: Owners; readonly size: number };
  readonly placeOf: (hash: number) => number;
}

function onCircle(servers: readonly NamedServer[]): Placed {
  const circle = ketamaCircle(servers);
  return { circle, placeOf: hash => circle.successor(hash) };
}

function inList(servers: readonly NamedServer[]): Placed {
  const owners = entriesOf(servers);
  return { circle: { owners, size: owners.length }, placeOf: hash => hash % owners.length };
}

/** The path of a unix socket is hashed with the colon that stands behind it in the configuration. */
function nameOf(id: string): string {
  return id.startsWith('/') ? `${id}:` : withoutDefaultPort(id);
}

/** twemproxy writes `name-k` to a buffer of 86 bytes and hashes what it would have written. */
function requireShort(name: string): string {
  const most = 86 - 1 - '-99999'.length;
  if (bytesOf(name).length <= most) return name;
  throw new InvalidOptionError(
    'name',
    `twemproxy hashes names of at most ${most} bytes soundly, ${describe(name)} is longer`,
  );
}
