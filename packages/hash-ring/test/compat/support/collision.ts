import { crc32 } from 'node:zlib';
import type { SystemNode } from '../../../src/compat/index.ts';

/** What nginx does where two servers have a point at one place. */
export interface Collision {
  /** The first is down, and shares a point with the second; the next point is the third's. */
  readonly servers: readonly [SystemNode, SystemNode, SystemNode];
  /** Keys that come to the shared point. */
  readonly keys: readonly string[];
}

/** Finds a collision among servers that differ in their addresses. */
export function collisionAt(port: number): Collision {
  const owners = new Map<number, number>();
  const addresses: string[] = [];
  for (let i = 0; i < 20_000; i++) {
    addresses.push(`127.84.${i >> 8}.${i & 255}:${port}`);
    for (const point of pointsOf(addresses[i]!, port)) {
      const other = owners.get(point);
      if (other !== undefined) {
        const found = collisionOf(
          point,
          [other, i].map(owner => addresses[owner]!) as [string, string],
          addresses,
          port,
        );
        if (found !== undefined) return found;
      }
      owners.set(point, i);
    }
  }
  throw new Error('no two servers share a point');
}

function collisionOf(
  shared: number,
  [first, second]: [string, string],
  others: readonly string[],
  port: number,
) {
  const after = (address: string) =>
    Math.min(...[...pointsOf(address, port)].filter(point => point > shared));
  const limit = Math.min(after(first), after(second));
  const third = others.find(address => after(address) < limit);
  if (third === undefined) return undefined;
  const points = [first, second, third].flatMap(address => [...pointsOf(address, port)]);
  const before = Math.max(...points.filter(point => point < shared));
  const keys: string[] = [];
  for (let i = 0; i < 200_000 && keys.length < 20; i++) {
    const hash = crc32(`k${i}`);
    if (hash > before && hash <= shared) keys.push(`k${i}`);
  }
  const servers = [{ id: first, down: true }, { id: second }, { id: third }] as const;
  return keys.length < 20 ? undefined : { servers, keys };
}

/** The 160 points of a server of weight 1, by node:zlib. */
function* pointsOf(address: string, port: number): Generator<number> {
  const base = crc32(`${address.slice(0, -`:${port}`.length)}\0${port}`);
  const previous = Buffer.alloc(4);
  for (let i = 0; i < 160; i++) {
    const point = crc32(previous, base);
    yield point;
    previous.writeUInt32LE(point);
  }
}
