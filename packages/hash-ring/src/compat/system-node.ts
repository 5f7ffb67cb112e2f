import { describe, InvalidOptionError, integerOption, type NumberRange } from '@ashlar/core';
import { checkedNodes } from '../nodes.ts';
import type { RingNode } from '../placement.ts';
import { booleanOption } from './options.ts';

/** A server as the system's configuration writes it: the `id` is what is hashed there, unless said otherwise. */
export interface SystemNode extends RingNode {
  /** The system knows this server to be down; each function says what its system does then. */
  readonly down?: boolean;
}

export type CheckedSystemNode<N extends SystemNode = SystemNode> = N & {
  readonly weight: number;
  readonly down: boolean;
};

/**
 * The nodes with everything said, in their order.
 *
 * @throws InvalidOptionError for an id that is empty or a weight that the system refuses, DuplicateNodeError
 */
export function systemNodes<N extends SystemNode>(
  nodes: Iterable<string | N>,
  weights: NumberRange,
): CheckedSystemNode<N>[] {
  const given = typeof nodes === 'string' ? nodes : [...nodes];
  const named = typeof given === 'string' ? given : given.map(withoutWeight);
  return checkedNodes(named).map((node, i) => {
    const more = (typeof given[i] === 'string' ? {} : given[i]) as N;
    const { weight = 1, down = false } = more;
    return {
      ...more,
      ...node,
      weight: integerOption('weight', weight, weights),
      down: booleanOption('down', down),
    };
  });
}

/** Each system has limits of its own. */
function withoutWeight(node: string | RingNode): string | RingNode {
  if (typeof node === 'string') return node;
  const { weight: _, ...rest } = node ?? {};
  return rest;
}

/** The text that is hashed for each node. @throws InvalidOptionError when two have the same, or one is empty. */
export function distinctNames<N extends SystemNode>(
  option: string,
  nodes: readonly N[],
  nameOf: (node: N) => string,
): string[] {
  const names = nodes.map(nameOf);
  const seen = new Map<string, string>();
  names.forEach((name, i) => {
    const other = seen.get(name);
    const { id } = nodes[i]!;
    if (typeof name !== 'string' || name === '') {
      throw new InvalidOptionError(
        option,
        `the \`${option}\` of node ${describe(id)} must be a string that is not empty, got ${describe(name)}`,
      );
    }
    if (other !== undefined) {
      throw new InvalidOptionError(
        option,
        `nodes ${describe(other)} and ${describe(id)} are both hashed as ${describe(name)}, which places them alike`,
      );
    }
    seen.set(name, id);
  });
  return names;
}
