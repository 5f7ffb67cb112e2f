import {
  defaultTo,
  describe,
  InvalidOptionError,
  misspelled,
  type NumberRange,
  number,
  type Rule,
  type RulesFor,
  refused,
  refuseMore,
  required,
  text,
} from '@ashlar/core';
import { DuplicateNodeError } from '../errors.ts';
import type { RingNode } from '../placement.ts';

/** A node whose default weight is filled in. */
export type CheckedNode<N extends RingNode = RingNode> = N & { readonly weight: number };

/** Far above any use; keeps sums and shares exact. */
const weights: NumberRange = { min: 0, max: 1e6 };

export const weightRule: Rule<number | undefined> = number(undefined, weights);

const anyText = text();

/** What is hashed for a node. Unpaired surrogates all encode to the same bytes: two such names would own the same keys. */
export const nameRule: Rule<string | undefined> = (value, option) => {
  const name = anyText(value, option);
  if (name === undefined || !/\p{Surrogate}/u.test(name)) return name;
  throw refused(option, 'valid Unicode', name);
};

const idRule = required(nameRule, 'the name by which every process knows the node');

const zoneRule: Rule<string | undefined> = (value, option) => {
  if (value === undefined || typeof value === 'string') return value;
  throw refused(option, 'a string', value);
};

/** The rules of the fields that every node has. */
export function nodeRulesWith(weight: Rule<number>): RulesFor<RingNode> {
  return { id: idRule, weight, zone: zoneRule };
}

const nodeRules = nodeRulesWith(defaultTo(1, weightRule));

/** @throws InvalidOptionError */
export function readNode(node: string | RingNode, option = 'node'): CheckedNode {
  return new NodeReader<RingNode>(nodeRules).read(node, option);
}

/** The arguments of `add`. @throws InvalidOptionError */
export function readAdded(node: string | RingNode, more: readonly unknown[]): CheckedNode {
  refuseMore('add', more, 1, 'write `add({ id, weight, zone })`');
  return readNode(node);
}

/** @throws InvalidOptionError, DuplicateNodeError when an id comes twice */
export function readNodes(nodes: Iterable<string | RingNode>): CheckedNode[] {
  return readNodesBy<RingNode>(nodeRules, nodes);
}

/** The nodes in their order, each field checked by its rule. @throws InvalidOptionError, DuplicateNodeError */
export function readNodesBy<N extends RingNode>(
  rules: RulesFor<N>,
  nodes: Iterable<string | N>,
): CheckedNode<N>[] {
  const reader = new NodeReader<N>(rules);
  const ids = new Set<string>();
  return Array.from(listFrom(nodes), (node, index) => {
    const checked = reader.read(node, `nodes[${index}]`);
    if (ids.has(checked.id)) throw new DuplicateNodeError(checked.id);
    ids.add(checked.id);
    return checked;
  });
}

function listFrom<T>(nodes: Iterable<T>): Iterable<T> {
  const given: unknown = nodes;
  if (typeof given === 'object' && given !== null && Symbol.iterator in given) return nodes;
  throw refused('nodes', 'a list of ids and nodes', given, adviceForList);
}

function adviceForList(value: unknown): string | undefined {
  if (typeof value === 'string') return `write \`[${describe(value)}]\``;
  if (typeof value !== 'object' || value === null) return undefined;
  return 'id' in value ? 'write `[node]`' : 'write `[{ id, weight }]`; options come second';
}

/** Reads nodes of one list, and looks at each foreign field's name once. */
class NodeReader<N extends RingNode> {
  readonly #rules: Readonly<Record<string, Rule<unknown>>>;
  readonly #slips = new Map<string, string | undefined>();

  constructor(rules: RulesFor<N>) {
    this.#rules = rules;
  }

  read(node: unknown, option: string): CheckedNode<N> {
    const fields = typeof node === 'string' ? { id: node } : this.#fieldsOf(node, option);
    const checked: Record<string, unknown> = {};
    for (const name of Object.keys(this.#rules)) {
      const value = this.#rules[name]!(fields[name], `${option}.${name}`);
      if (value !== undefined) checked[name] = value;
    }
    return checked as unknown as CheckedNode<N>;
  }

  #fieldsOf(node: unknown, option: string): Readonly<Record<string, unknown>> {
    if (typeof node !== 'object' || node === null || Array.isArray(node)) {
      throw refused(option, 'an id or an object with `id`', node, adviceForNode);
    }
    for (const name of Object.keys(node))
      if (!Object.hasOwn(this.#rules, name)) this.#refuseSlip(node, name, option);
    return node as Readonly<Record<string, unknown>>;
  }

  /** A node may be an object of the caller's, with fields of its own. A misspelled one is where the right one is missing. */
  #refuseSlip(node: object, name: string, option: string): void {
    if (!this.#slips.has(name)) {
      const fields = Object.keys(this.#rules).filter(field => field !== 'id');
      this.#slips.set(name, misspelled(name, fields));
    }
    const meant = this.#slips.get(name);
    if (meant === undefined || meant in node) return;
    throw new InvalidOptionError(
      `${option}.${name}`,
      `\`${option}\` has no field \`${name}\`; did you mean \`${meant}\`?`,
    );
  }
}

function adviceForNode(value: unknown): string | undefined {
  return ['number', 'bigint'].includes(typeof value) ? `ids are strings: write \`'${value}'\`` : undefined;
}

/** @throws InvalidOptionError for what cannot be the id of a node */
export function checkedId(id: string): string {
  if (typeof id === 'string') return id;
  throw refused('id', 'the id of a node', id, value =>
    typeof value === 'object' && value !== null && 'id' in value ? 'write `node.id`' : undefined,
  );
}

/** For the algorithms whose shares are equal by construction. @throws InvalidOptionError */
export function requireWeightOne(algorithm: string, { id, weight }: CheckedNode): void {
  if (weight === 1) return;
  throw new InvalidOptionError(
    'weight',
    `${algorithm} has no weights, but node ${describe(id)} has weight ${weight}: use HashRing, RendezvousHash or MaglevTable`,
  );
}
