import {
  boolean,
  describe,
  InvalidOptionError,
  integer,
  type NumberRange,
  type RulesFor,
} from '@ashlar/core';
import { nodeRulesWith, readNodesBy } from '../../nodes/read-nodes.ts';
import type { RingNode } from '../../placement.ts';

/** A server as the system's configuration writes it: the `id` is what is hashed there, unless stated otherwise. */
export interface SystemNode extends RingNode {
  /** The system knows this server to be down; see each function for what its system does then. Default: false. */
  readonly down?: boolean;
}

export type CheckedSystemNode<N extends SystemNode = SystemNode> = N & {
  readonly weight: number;
  readonly down: boolean;
};

/** The rules of the fields that every system's servers have. */
export function systemRules(weights: NumberRange): RulesFor<SystemNode> {
  return { ...nodeRulesWith(integer(1, weights)), down: boolean(false) };
}

/** The nodes with their defaults filled in, in their order. @throws InvalidOptionError, DuplicateNodeError */
export function systemNodes<N extends SystemNode>(
  rules: RulesFor<N>,
  nodes: Iterable<string | N>,
): CheckedSystemNode<N>[] {
  return readNodesBy<N>(rules, nodes) as CheckedSystemNode<N>[];
}

/** A server as it is placed: its index among the nodes, and the text that is hashed for it. */
export interface NamedServer {
  readonly owner: number;
  readonly name: string;
  readonly weight: number;
  readonly down: boolean;
}

/** @throws InvalidOptionError that names the option when two servers have the same name */
export function namedServers<N extends SystemNode>(
  option: string,
  nodes: readonly CheckedSystemNode<N>[],
  nameOf: (node: N) => string,
): NamedServer[] {
  const seen = new Map<string, string>();
  return nodes.map((node, owner) => {
    const { id, weight, down } = node;
    const name = nameOf(node);
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
