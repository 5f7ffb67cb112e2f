import { describe, expect, it } from 'vitest';
import { envoyMaglev } from '../../../src/compat/index.ts';
import { xxh64Reference } from '../support/reference.ts';
import { addresses, alike, keys, withOneDown } from './envoy.ts';

// The tables that Envoy's own unit tests expect, in maglev_lb_test.cc.

describe('envoyMaglev fills the tables of Envoy’s tests', () => {
  const tables = {
    Basic: { nodes: addresses(90, 6).map(id => ({ id })), table: [2, 4, 0, 1, 5, 0, 3] },
    BasicWithHostName: {
      nodes: addresses(90, 6).map((id, i) => ({ id, hashKey: `${90 + i}` })),
      table: [2, 5, 0, 3, 4, 1, 0],
    },
    Weighted: {
      nodes: addresses(90, 2).map((id, i) => ({ id, weight: i + 1 })),
      table: [1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1],
    },
    LocalityWeightedSameLocalityWeights: {
      nodes: addresses(90, 2).map(id => ({ id })),
      table: [1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1],
    },
    'LocalityWeightedDifferentLocalityWeights, as host weights': {
      nodes: addresses(90, 2).map((id, i) => ({ id, weight: [8, 2][i]! })),
      table: [1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0],
    },
  };

  for (const [name, { nodes, table }] of Object.entries(tables)) {
    const size = BigInt(table.length);

    it(`${name}: in whatever order the hosts come`, () => {
      for (const given of [nodes, [...nodes].reverse()]) {
        const placement = envoyMaglev(given, { tableSize: table.length });
        const seen = new Set<bigint>();
        for (const key of keys) {
          const entry = xxh64Reference(Buffer.from(key)) % size;
          seen.add(entry);
          expect(placement.get(key)).toBe(nodes[table[Number(entry)]!]!.id);
        }
        expect(seen.size).toBe(table.length);
      }
    });

    it(`${name}: the order of retries`, () => {
      const placement = envoyMaglev(nodes, { tableSize: table.length });
      for (const key of keys) {
        const hash = xxh64Reference(Buffer.from(key));
        const attempts = Array.from({ length: 32 }, (_, attempt) => {
          const entry = (hash ^ BigInt.asUintN(64, -BigInt(attempt))) % size;
          return nodes[table[Number(entry)]!]!.id;
        });
        const order = [...new Set([...attempts, ...nodes.map(({ id }) => id)])];
        expect(placement.getN(key, nodes.length)).toEqual(order);
      }
    });
  }

  it('an endpoint that is not healthy is as one that is not there', () => {
    const [nodes, without] = withOneDown();
    alike(envoyMaglev(nodes), envoyMaglev(without));
  });
});
