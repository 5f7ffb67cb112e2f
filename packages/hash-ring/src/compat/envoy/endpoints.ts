import { InvalidOptionError, type RulesFor } from '@ashlar/core';
import { nameRule } from '../../nodes/read-nodes.ts';
import {
  type CheckedSystemNode,
  type NamedServer,
  namedServers,
  type SystemNode,
  systemNodes,
  systemRules,
  upOnly,
} from '../system/system-nodes.ts';

/** An endpoint: its `id` is its address, `ip:port`, as Envoy prints it. */
export interface EnvoyNode extends SystemNode {
  /** The `hash_key` of its `envoy.lb` metadata, or its hostname with `use_hostname_for_hashing`: hashed for the address. */
  readonly hashKey?: string;
}

/** The fields of an endpoint, of gRPC as of Envoy. */
export const endpointRules: RulesFor<EnvoyNode> = {
  ...systemRules({ min: 1, max: 2 ** 32 - 1 }),
  hashKey: nameRule,
};

/** @throws InvalidOptionError, DuplicateNodeError */
export function envoyNodes(nodes: Iterable<string | EnvoyNode>): CheckedSystemNode<EnvoyNode>[] {
  const endpoints = systemNodes(endpointRules, nodes);
  const total = endpoints.reduce((sum, { weight }) => sum + weight, 0);
  if (total < 2 ** 32) return endpoints;
  throw new InvalidOptionError(
    'weight',
    `the weights of all nodes must add up to less than 2^32, got ${total}`,
  );
}

/** Those that Envoy places. @throws InvalidOptionError */
export function healthyOf(endpoints: readonly CheckedSystemNode<EnvoyNode>[]): NamedServer[] {
  return upOnly(namedServers('hashKey', endpoints, ({ id, hashKey }) => hashKey ?? id));
}
