import { describe, InvalidOptionError, type NumberRange, numberOption } from '@ashlar/core';
import { DuplicateNodeError } from '../errors.ts';
import type { RingNode } from '../placement.ts';

/** Far above any use; keeps sums and shares exact. */
export const weightRange: NumberRange = { min: 0, max: 1e6 };

export interface CheckedNode extends RingNode {
  readonly weight: number;
}

/** @throws InvalidOptionError for an id that is empty or no valid Unicode, or a weight that is not a number from 0 to a million. */
export function checkedNode(node: string | RingNode): CheckedNode {
  const { id, weight = 1, zone } = typeof node === 'string' ? ({ id: node } as RingNode) : (node ?? {});
  if (typeof id !== 'string' || id === '') {
    throw new InvalidOptionError(
      'id',
      `the \`id\` of a node must be a string that is not empty, got ${describe(id)}`,
    );
  }
  // Unpaired surrogates all encode to the same bytes, so two such ids would own the very same keys
  if (/\p{Surrogate}/u.test(id)) {
    throw new InvalidOptionError('id', `the \`id\` of a node must be valid Unicode, got ${describe(id)}`);
  }
  if (zone !== undefined && typeof zone !== 'string') {
    throw new InvalidOptionError(
      'zone',
      `the \`zone\` of node ${describe(id)} must be a string, got ${describe(zone)}`,
    );
  }
  const checked = { id, weight: numberOption('weight', weight, weightRange) };
  return zone === undefined ? checked : { ...checked, zone };
}

/** @throws DuplicateNodeError when an id comes twice, and what `checkedNode` throws. */
export function checkedNodes(nodes: Iterable<string | RingNode>): CheckedNode[] {
  if (typeof nodes === 'string') {
    throw new InvalidOptionError(
      'nodes',
      `\`nodes\` must be a list of nodes, got the string ${describe(nodes)}`,
    );
  }
  const ids = new Set<string>();
  const checked: CheckedNode[] = [];
  for (const node of nodes) {
    const added = checkedNode(node);
    if (ids.has(added.id)) throw new DuplicateNodeError(added.id);
    ids.add(added.id);
    checked.push(added);
  }
  return checked;
}

/** For the algorithms whose shares are equal by construction. @throws InvalidOptionError */
export function requireWeightOne(algorithm: string, { id, weight }: CheckedNode): void {
  if (weight === 1) return;
  throw new InvalidOptionError(
    'weight',
    `${algorithm} has no weights, but node ${describe(id)} has weight ${weight}: take HashRing, RendezvousHash or MaglevTable`,
  );
}
