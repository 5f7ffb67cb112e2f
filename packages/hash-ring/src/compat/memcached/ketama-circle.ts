import { bytesOf } from '../../hash/key-bytes.ts';
import { Continuum } from '../../ring/continuum.ts';
import { md5 } from '../hash/md5.ts';
import { requireRoom } from '../system/room.ts';
import type { NamedServer } from '../system/system-nodes.ts';

/** Points of a server of average weight, of which each MD5 gives four. */
const pointsPerServer = 160;

/**
 * The weighted ketama circle of libmemcached and twemproxy: a server has 160 points times its weight over the average,
 * rounded down to a multiple of four in 32-bit floating point, at the words of MD5(`name-0`), MD5(`name-1`), …
 */
export function ketamaCircle(servers: readonly NamedServer[]): Continuum {
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  const counts = servers.map(({ weight }) => hashCount(weight, total, servers.length));
  const count = counts.reduce((sum, hashes) => sum + hashes * 4, 0);
  requireRoom(count);
  const points = new Uint32Array(count);
  const owners = new Uint32Array(count);
  const digest = new Uint32Array(4);
  let at = 0;
  servers.forEach(({ owner, name }, i) => {
    for (let k = 0; k < counts[i]!; k++, at += 4) {
      const bytes = bytesOf(`${name}-${k}`);
      md5(bytes, bytes.length, digest);
      points.set(digest, at);
      owners.fill(owner, at, at + 4);
    }
  });
  return Continuum.of(points, owners, (a, b) => a < b);
}

/** Every step is rounded to a `float` as in C: in doubles, 2 % of the keys go astray at some numbers of servers. */
function hashCount(weight: number, total: number, servers: number): number {
  const { fround } = Math;
  const part = fround(fround(weight) / fround(total));
  const hashes = fround(fround(fround(part * pointsPerServer) / 4) * fround(servers));
  return Math.floor(fround(hashes + fround(1e-10)));
}
