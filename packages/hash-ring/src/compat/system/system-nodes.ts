import { describe, InvalidOptionError, integerOption, type NumberRange } from '@ashlar/core';
import { checkedNodes } from '../../nodes/read-nodes.ts';
import type { RingNode } from '../../placement.ts';
import { booleanOption } from './room.ts';

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

/** A server as it is placed: its index among the nodes, and the text that is hashed for it. */
export interface NamedServer {
  readonly owner: number;
  readonly name: string;
  readonly weight: number;
  readonly down: boolean;
}

/** @throws InvalidOptionError that names the option when a name is empty, or two servers have the same */
export function namedServers<N extends SystemNode>(
  option: string,
  nodes: readonly CheckedSystemNode<N>[],
  nameOf: (node: N) => string,
): NamedServer[] {
  const seen = new Map<string, string>();
  return nodes.map((node, owner) => {
    const { id, weight, down } = node;
    const name: unknown = nameOf(node);
    if (typeof name !== 'string' || name === '') {
      throw new InvalidOptionError(
        option,
        `the \`${option}\` of node ${describe(id)} must be a string that is not empty, got ${describe(name)}`,
      );
    }
    const other = seen.get(name);
    if (other !== undefined) {
      throw new InvalidOptionError(
        option,
        `nodes ${describe(other)} and ${describe(id)} are both hashed as ${describe(name)}, which places them alike`,
      );
    }
    seen.set(name, id);
    return { owner, name, weight, down };
  });
}

/** Those that are not down. */
export function upOnly(servers: readonly NamedServer[]): NamedServer[] {
  return servers.filter(({ down }) => !down);
}

/** Compares by code point, which is the order of the UTF-8 bytes. */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [inA, inB] = [a.codePointAt(i)!, b.codePointAt(i)!];
    if (inA !== inB) return inA - inB;
  }
  return a.length - b.length;
}
