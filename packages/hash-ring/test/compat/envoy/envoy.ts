import { expect } from 'vitest';
import type { EnvoyNode } from '../../../src/compat/index.ts';
import type { Placement } from '../../../src/index.ts';
import { sampleKeys } from '../support/keys.ts';

export const keys: string[] = sampleKeys(1_000, 6);

/** As Envoy's tests have them. */
export function addresses(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `127.0.0.1:${first + i}`);
}

/** Nodes of which one is down, and the others alone. */
export function withOneDown(): [EnvoyNode[], EnvoyNode[]] {
  const nodes = addresses(90, 6).map((id, i) => ({ id, weight: 1 + (i % 3), down: i === 2 }));
  return [nodes, nodes.filter(({ down }) => !down)];
}

export function alike(one: Placement, other: Placement): void {
  expect(one.size).toBe(other.size);
  for (const key of keys) expect(one.getN(key, 8)).toEqual(other.getN(key, 8));
}
