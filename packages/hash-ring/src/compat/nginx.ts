import { boolean, type RulesFor, readOptions } from '@ashlar/core';
import { bytesOf } from '../hash/key-bytes.ts';
import type { Placement } from '../placement.ts';
import { Continuum } from '../ring/continuum.ts';
import { crc32, crc32Finish, crc32Update } from './hash/crc.ts';
import { hashOf, reader } from './hash/key-reader.ts';
import { entriesOf, requireRoom } from './system/room.ts';
import { type CheckedSystemNode, type SystemNode, systemNodes, systemRules } from './system/system-nodes.ts';
import { AttemptPlacement, CirclePlacement } from './system/system-placement.ts';

export interface NginxOptions {
  /** `hash $key consistent` when true, plain `hash $key` when false. Default: true. */
  readonly consistent?: boolean;
}

const rules = { consistent: boolean(true) } satisfies RulesFor<NginxOptions>;
const nodeRules = systemRules({ min: 1 });

/**
 * The servers of an `upstream` with `hash $key consistent` in nginx, open source or Plus, http or stream.
 *
 * The `id` is what stands behind `server`, as it stands there: with its port or without, `unix:/path`, a hostname (which
 * counts once, however many addresses it has; among them nginx takes turns). Weights are integers of at least 1.
 *
 * A server that is `down` keeps its points and is walked over. So are the servers that a retry has tried: the order of
 * preference is that of `proxy_next_upstream`. Where nginx gives up after 20 points and takes the next server by round
 * robin, which depends on earlier requests, and for an empty key, where it does so at once, the walk goes on and the
 * hash holds.
 *
 * Without `consistent` it is the distribution of Cache::Memcached: the hash modulo the sum of weights. The next server
 * is found by hashing once more, up to 20 times; then all come in their order.
 *
 * From ngx_http_upstream_hash_module.c; checked against nginx 1.22.1.
 *
 * @throws InvalidOptionError, DuplicateNodeError
 */
export function nginxHash(nodes: Iterable<string | SystemNode>, options: NginxOptions = {}): Placement {
  const { consistent } = readOptions('nginxHash', options, rules);
  const servers = systemNodes(nodeRules, nodes);
  return consistent ? onCircle(servers) : byModulo(servers);
}

type Servers = readonly CheckedSystemNode[];

const pointsPerWeight = 160;

function onCircle(servers: Servers): Placement {
  const count = servers.reduce((sum, { weight }) => sum + weight * pointsPerWeight, 0);
  requireRoom(count);
  const points = new Uint32Array(count);
  const owners = new Uint32Array(count);
  let at = 0;
  servers.forEach(({ id, weight }, owner) => {
    const base = registerOf(id);
    const previous = new Uint8Array(4);
    for (let i = 0; i < weight * pointsPerWeight; i++, at++) {
      const point = crc32Finish(crc32Update(base, previous, 4));
      for (let byte = 0; byte < 4; byte++) previous[byte] = point >>> (8 * byte);
      points[at] = point;
      owners[at] = owner;
    }
  });
  const circle = withoutTies(Continuum.of(points, owners, (a, b) => a < b));
  return new CirclePlacement(servers, circle, key => circle.successor(hashOf(key, crc32)));
}

/** CRC-32, not finished, of host, a zero byte, port: what the chain of a server's points starts from. */
function registerOf(id: string): number {
  const [, host = id, port = ''] = /^unix:(.*)$/is.exec(id) ?? /^(.*):(\d*)$/s.exec(id) ?? [];
  const bytes = bytesOf(`${host}\0${port}`);
  return crc32Update(-1, bytes, bytes.length);
}

/** nginx drops all points but the first at a place, and does not see the others when it walks on. */
function withoutTies(circle: Continuum): Continuum {
  const { points, owners, size } = circle;
  const keptPoints = new Uint32Array(size);
  const keptOwners = new Uint32Array(size);
  let kept = 0;
  for (let i = 0; i < size; i++) {
    if (i > 0 && points[i] === points[i - 1]) continue;
    keptPoints[kept] = points[i]!;
    keptOwners[kept++] = owners[i]!;
  }
  if (kept === size) return circle;
  return Continuum.of(keptPoints.subarray(0, kept), keptOwners.subarray(0, kept), () => false);
}

function byModulo(servers: Servers): Placement {
  const entries = entriesOf(servers.map(({ weight }, owner) => ({ owner, weight })));
  return new AttemptPlacement(servers, entries, registers.length, (key, sequence, attempts) => {
    reader.read(key);
    let sum = 0;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const crc = crc32Update(registers[attempt]!, reader.bytes, reader.length);
      sum += (crc32Finish(crc) >>> 16) & 0x7fff;
      sequence[attempt] = entries[sum % entries.length]!;
    }
  });
}

/** How CRC-32 begins at each attempt: behind the attempt's number in decimal, which is left out at the first. */
const registers: Int32Array = Int32Array.from({ length: 21 }, (_, attempt) => {
  const prefix = bytesOf(attempt === 0 ? '' : String(attempt));
  return crc32Update(-1, prefix, prefix.length);
});
