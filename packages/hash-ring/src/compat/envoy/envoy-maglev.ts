import { type RulesFor, readOptions } from '@ashlar/core';
import { bytesOf } from '../../hash/key-bytes.ts';
import type { Placement } from '../../placement.ts';
import { prime } from '../../rules.ts';
import { xxh64 } from '../hash/xxh64.ts';
import { byCodePoint, type NamedServer } from '../system/system-nodes.ts';
import { AttemptPlacement } from '../system/system-placement.ts';
import { type EnvoyNode, envoyNodes, healthyOf } from './endpoints.ts';
import { keyDigest } from './ring.ts';

export interface EnvoyMaglevOptions {
  /** `table_size`, a prime of at most 5 000 011. Default: 65 537. */
  readonly tableSize?: number;
}

const rules = { tableSize: prime(65537, 5_000_011) } satisfies RulesFor<EnvoyMaglevOptions>;

/** How many of Envoy's attempts are followed; `host_selection_retry_max_attempts` sets how many it makes. */
const attempts = 32;

/**
 * The endpoints of a cluster with the `maglev` policy of Envoy, in one priority and without locality weights.
 *
 * As in `envoyRingHash`, except that the order of the endpoints does not count, and that the order of preference is that
 * of Envoy's first 31 further attempts, which change the hash; then all follow in their order.
 *
 * From maglev_lb.cc; checked against the vectors of Envoy's own tests, not against a running Envoy.
 *
 * @throws InvalidOptionError, DuplicateNodeError
 */
export function envoyMaglev(
  nodes: Iterable<string | EnvoyNode>,
  options: EnvoyMaglevOptions = {},
): Placement {
  const { tableSize } = readOptions('envoyMaglev', options, rules);
  const endpoints = envoyNodes(nodes);
  const servers = healthyOf(endpoints).sort((a, b) => byCodePoint(a.name, b.name));
  const table = tableOf(servers, tableSize);
  return new AttemptPlacement(endpoints, table, attempts, (key, sequence, count) => {
    const digest = keyDigest(key);
    const high = digest[0]!;
    const low = digest[1]!;
    for (let attempt = 0; attempt < count; attempt++) {
      // The hash is xored with -attempt in 64 bits
      const entry = attempt === 0 ? entryOf(high, low, tableSize) : entryOf(~high, low ^ -attempt, tableSize);
      sequence[attempt] = table[entry]!;
    }
  });
}

/** A server that fills entries: its next one, and the one after it `skip` further on. */
interface Filling {
  readonly owner: number;
  readonly weight: number;
  readonly skip: number;
  entry: number;
  target: number;
}

function tableOf(servers: readonly NamedServer[], size: number): Uint32Array {
  if (servers.length === 0) return new Uint32Array(0);
  const table = new Uint32Array(size);
  const taken = new Uint8Array(size);
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  const greatest = servers.reduce((max, { weight }) => Math.max(max, weight / total), 0);
  const fillings = servers.map(server => fillingOf(server, total, size));
  for (let round = 1, left = size; left > 0; round++) {
    for (const filling of fillings) {
      if (left === 0) break;
      if (round * filling.weight < filling.target) continue;
      filling.target += greatest;
      while (taken[filling.entry] === 1) filling.entry = (filling.entry + filling.skip) % size;
      taken[filling.entry] = 1;
      table[filling.entry] = filling.owner;
      left--;
    }
  }
  return table;
}

function fillingOf({ owner, name, weight }: NamedServer, total: number, size: number): Filling {
  const bytes = bytesOf(name);
  const digest = new Uint32Array(2);
  xxh64(bytes, bytes.length, 0, digest);
  const entry = entryOf(digest[0]!, digest[1]!, size);
  xxh64(bytes, bytes.length, 1, digest);
  const skip = entryOf(digest[0]!, digest[1]!, size - 1) + 1;
  return { owner, weight: weight / total, skip, entry, target: 0 };
}

/** The 64-bit integer of two halves, modulo a number below 2^23: no step leaves what a double holds. */
function entryOf(high: number, low: number, size: number): number {
  return (((high >>> 0) % size) * (2 ** 32 % size) + (low >>> 0)) % size;
}
