import {
  boolean,
  functionOf,
  number,
  oneOf,
  type RulesFor,
  readOptions,
  record,
  required,
  text,
} from '@ashlar/core';
import { runnerRule, type Skip, skipRule, suite, type TestRunner } from '@ashlar/core/testing';
import { EmptyPlacementError } from './errors.ts';
import type { Placement, RingNode } from './placement.ts';

/** What a placement promises beyond the contract. */
export interface PlacementFeatures {
  /** Shares follow weights. */
  readonly weights: boolean;
  /** When a node is left out, no key of another node moves: with any node, with the last of the list, or not at all. */
  readonly minimalMovement: 'any' | 'last' | 'none';
  /** The order in which the nodes are given does not matter. */
  readonly orderFree: boolean;
  /** `getN` takes distinct zones first. */
  readonly zones: boolean;
  /** The greatest share of a node among ten equal ones, times ten. */
  readonly peakToAverage: number;
}

export interface PlacementConformance {
  readonly name: string;
  readonly features: PlacementFeatures;
  readonly skip?: readonly Skip[];
}

const featureRules = {
  weights: required(boolean()),
  minimalMovement: required(oneOf(undefined, ['any', 'last', 'none'])),
  orderFree: required(boolean()),
  zones: required(boolean()),
  peakToAverage: required(number(undefined, { min: 1 })),
} satisfies RulesFor<PlacementFeatures>;

const rules = {
  name: required(text()),
  features: record(featureRules),
  skip: skipRule,
} satisfies RulesFor<PlacementConformance>;

const placeRule = required(functionOf<(nodes: readonly RingNode[]) => Placement>());

/**
 * The tests that every `Placement` must pass, for any runner:
 * `placementConformance({ describe, it }, nodes => …, { … })`.
 *
 * @throws InvalidOptionError
 */
export function placementConformance(
  runner: TestRunner,
  place: (nodes: readonly RingNode[]) => Placement,
  options: PlacementConformance,
): void {
  runnerRule(runner, 'runner');
  placeRule(place, 'place');
  const { name, features, skip } = readOptions('placementConformance', options, rules);
  const { weights, minimalMovement, orderFree, zones } = features;
  const tests: Record<string, () => void> = {
    'an empty placement gives no node': () => {
      const empty = place([]);
      equal(empty.size, 0);
      throws(() => empty.get('key'), EmptyPlacementError);
      equal(empty.getN('key', 3), []);
      equal(
        empty.find('key', () => true),
        undefined,
      );
    },
    'one node owns every key': () => {
      const single = place(nodesNamed(1));
      for (const key of keys(100)) equal(single.get(key), 'node-0');
    },
    'get, getN and find agree, and each node comes once': () => {
      const placement = place(nodesNamed(9));
      equal(placement.size, 9);
      for (const key of keys(200)) {
        const order = orderOf(placement, key);
        equal([...order].sort(), ids(nodesNamed(9)));
        equal(order[0], placement.get(key));
        for (const count of [0, 1, 4, 9]) equal(placement.getN(key, count), order.slice(0, count));
        equal(placement.getN(key, 50), order);
        const third = order[2];
        equal(
          placement.find(key, id => id === third),
          third,
        );
        equal(
          placement.find(key, () => false),
          undefined,
        );
      }
    },
    'a walk within a walk disturbs neither': () => {
      const placement = place(nodesNamed(7));
      for (const key of keys(50)) {
        const inner: string[] = [];
        const outer: string[] = [];
        placement.find(key, id => {
          outer.push(id);
          inner.push(orderOf(placement, `${key} again`).join());
          return false;
        });
        equal(outer, orderOf(placement, key));
        equal(new Set(inner).size, 1);
      }
    },
    'a string and its UTF-8 bytes are one key': () => {
      const placement = place(nodesNamed(20));
      const cases: [string, number[]][] = [
        ['', []],
        ['ab', [0x61, 0x62]],
        ['é', [0xc3, 0xa9]],
        ['€', [0xe2, 0x82, 0xac]],
        ['😀', [0xf0, 0x9f, 0x98, 0x80]],
        ['\ud800', [0xef, 0xbf, 0xbd]],
      ];
      for (const [text, bytes] of cases) equal(placement.get(text), placement.get(Uint8Array.from(bytes)));
    },
    'two placements built alike answer alike': () => {
      const [one, other] = [place(nodesNamed(12)), place(nodesNamed(12))];
      for (const key of keys(200)) equal(orderOf(one, key), orderOf(other, key));
    },
    'keys spread as evenly as promised': () => {
      const counts = tally(place(nodesNamed(10)), 50_000);
      const peak = Math.max(...counts.values()) / 5_000;
      if (peak > features.peakToAverage) throw new Error(`the greatest share is ${peak} times the average`);
    },
  };
  if (orderFree) {
    tests['the order of the nodes does not matter'] = () => {
      const [one, other] = [place(nodesNamed(12)), place(nodesNamed(12).reverse())];
      for (const key of keys(500)) equal(one.get(key), other.get(key));
    };
  }
  if (minimalMovement !== 'none') {
    tests['without a node, only its keys move'] = () => {
      const nodes = nodesNamed(10);
      const whole = place(nodes);
      for (const left of minimalMovement === 'any' ? [0, 4, 9] : [9]) {
        const without = place(nodes.filter((_, i) => i !== left));
        for (const key of keys(2_000)) {
          const owner = whole.get(key);
          if (owner !== `node-${left}`) equal(without.get(key), owner);
        }
      }
    };
  }
  if (weights) {
    tests['shares follow weights, and weight 0 owns nothing'] = () => {
      const placement = place([
        { id: 'light', weight: 1 },
        { id: 'heavy', weight: 4 },
        { id: 'none', weight: 0 },
      ]);
      const counts = tally(placement, 50_000);
      equal(placement.size, 2);
      equal(counts.get('none') ?? 0, 0);
      const ratio = counts.get('heavy')! / counts.get('light')!;
      if (ratio < 2.8 || ratio > 5.6) throw new Error(`4 times the weight has ${ratio} times the keys`);
    };
  }
  if (zones) {
    tests['getN takes distinct zones first'] = () => {
      const zoneOf = (id: string) => `zone-${Number(id.slice(5)) % 3}`;
      const placement = place(nodesNamed(9).map(node => ({ ...node, zone: zoneOf(node.id) })));
      for (const key of keys(200)) {
        const order = orderOf(placement, key);
        const chosen = placement.getN(key, 3);
        equal(
          chosen,
          order.filter((id, i) => order.findIndex(other => zoneOf(other) === zoneOf(id)) === i),
        );
        const rest = order.filter(id => !chosen.includes(id));
        equal(placement.getN(key, 5), [...chosen, ...rest].slice(0, 5));
      }
    };
  }
  suite(runner, name, tests, skip);
}

function nodesNamed(count: number): RingNode[] {
  return Array.from({ length: count }, (_, i) => ({ id: `node-${i}` }));
}

function ids(nodes: readonly RingNode[]): string[] {
  return nodes.map(({ id }) => id);
}

function keys(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `user:${i}`);
}

function orderOf(placement: Placement, key: string): string[] {
  const order: string[] = [];
  placement.find(key, id => {
    order.push(id);
    return false;
  });
  return order;
}

function tally(placement: Placement, count: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys(count)) {
    const id = placement.get(key);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

function equal(actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`expected ${b}, got ${a}`);
}

function throws(call: () => unknown, type: new (...args: never[]) => Error): void {
  try {
    call();
  } catch (error) {
    if (error instanceof type) return;
    throw error;
  }
  throw new Error(`expected ${type.name} to be thrown`);
}
