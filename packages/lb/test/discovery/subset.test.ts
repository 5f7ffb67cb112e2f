import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { type Discovery, type Endpoint, LoadBalancer, subset } from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';

const backends = (count: number, from = 0): Endpoint[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `10.0.${(from + index) >> 8}.${(from + index) & 255}:80`,
  }));

/** How many clients each backend has, least and most, as parts of the mean. */
function spread(
  endpoints: readonly Endpoint[],
  clients: readonly (number | string)[],
  size: number,
): [number, number] {
  const counts = new Map(endpoints.map(({ id }) => [id, 0]));
  for (const client of clients) {
    for (const { id } of subset(endpoints, { client, size })) counts.set(id, counts.get(id)! + 1);
  }
  const mean = (clients.length * size) / endpoints.length;
  return [Math.min(...counts.values()) / mean, Math.max(...counts.values()) / mean];
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => index);
const called = (count: number) => Array.from({ length: count }, (_, index) => `client-${index}`);

describe('a subset', () => {
  it('is the same whatever the order, of the wanted size, each endpoint once', () => {
    const arbitrary = fc.record({
      count: fc.integer({ min: 0, max: 60 }),
      size: fc.integer({ min: 1, max: 70 }),
      client: fc.oneof(fc.nat(10_000), fc.string({ minLength: 1 })),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(arbitrary, ({ count, size, client, seed }) => {
        const all = backends(count);
        const ids = subset(all, { client, size }).map(({ id }) => id);
        expect(ids).toHaveLength(Math.min(size, count));
        expect(new Set(ids).size).toBe(ids.length);
        const turned = [...all.slice(seed % (count + 1)), ...all.slice(0, seed % (count + 1))];
        const again = subset(turned, { client, size }).map(({ id }) => id);
        expect(new Set(again)).toEqual(new Set(ids));
      }),
      { seed: 4, numRuns: 300 },
    );
  });

  it.each([
    [300, 300, 30],
    [100, 77, 10],
    [40, 500, 20],
    [1_000, 50, 20],
  ])('of %i backends for %i clients by %i is even when clients are numbered', (count, clients, size) => {
    const mean = (clients * size) / count;
    const [least, most] = spread(backends(count), numbered(clients), size);
    // by a few clients, however many there are
    expect(least).toBeGreaterThanOrEqual(1 - 3 / mean);
    expect(most).toBeLessThanOrEqual(1 + 3 / mean);
  });

  it('is as even as the README says', () => {
    const clients = (names: readonly (number | string)[]) =>
      spread(backends(300), names, 30).map(part => Math.round(part * 30));
    expect([clients(numbered(300)), clients(called(300))]).toEqual([
      [28, 32],
      [15, 45],
    ]);
  });

  it('is even to within chance when they are named', () => {
    const [least, most] = spread(backends(300), called(300), 30);
    expect(least).toBeGreaterThan(0.4);
    expect(most).toBeLessThan(1.7);
  });

  it('changes little when an endpoint joins or leaves', () => {
    const changed = (client: number | string, before: Endpoint[], after: Endpoint[], size: number) => {
      const kept = new Set(subset(after, { client, size }).map(({ id }) => id));
      return subset(before, { client, size }).filter(({ id }) => !kept.has(id)).length;
    };
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 80 }),
        fc.integer({ min: 1, max: 20 }),
        fc.nat(),
        (count, size, at) => {
          const all = backends(count);
          const without = all.filter((_, index) => index !== at % count);
          for (const client of numbered(10)) {
            expect(changed(client, all, without, size)).toBeLessThanOrEqual(2);
            expect(changed(client, without, all, size)).toBeLessThanOrEqual(2);
          }
          for (const client of called(10)) {
            expect(changed(client, all, without, size)).toBeLessThanOrEqual(1);
            expect(changed(client, without, all, size)).toBeLessThanOrEqual(1);
          }
        },
      ),
      { seed: 4, numRuns: 100 },
    );
  });

  it('of a discovery follows it', async () => {
    const feed = new Feed<Endpoint>();
    const all: Discovery<Endpoint> = feed;
    const some = subset(all, { client: 3, size: 2 });
    expectTypeOf(some).toEqualTypeOf<Discovery<Endpoint>>();
    const sets = some[Symbol.asyncIterator]();
    const first = sets.next();
    await feed.give(backends(9));
    expect((await first).value).toEqual(subset(backends(9), { client: 3, size: 2 }));
    const last = sets.next();
    await feed.end();
    expect((await last).done).toBe(true);
    await sets.return?.();
    expect(feed.returned).toBe(1);
  });

  it.each([
    ['null', null],
    ['a text', 'abc'],
    ['one with an entry that is none', [{ id: 'x' }, null, { id: 'y' }]],
    ['one that lists an endpoint twice', [{ id: 'x' }, { id: 'x' }, { id: 'y' }]],
  ])('of a discovery survives a set that is none: %s', async (_, set) => {
    for (const client of [1, 'one']) {
      const feed = new Feed<Endpoint>();
      await using lb = new LoadBalancer({ endpoints: subset<Endpoint>(feed, { client, size: 2 }) });
      await feed.give(backends(9));
      const before = lb.endpoints;
      await feed.give(set as readonly Endpoint[]);
      expect(lb.snapshot()).toMatchObject({ discovery: 'live', discoveryError: expect.any(String) });
      expect(lb.endpoints).toEqual(before);
      await feed.give(backends(2));
      expect(lb.endpoints).toEqual(backends(2));
    }
  });

  it('heeds neither weights nor zones', () => {
    const plain = backends(30);
    const told = plain.map((endpoint, i) => ({ ...endpoint, weight: i % 3, zone: `z${i % 2}` }));
    for (const client of [7, 'seven']) {
      const ids = (endpoints: readonly Endpoint[]) =>
        (subset(endpoints, { client, size: 9 }) as readonly Endpoint[]).map(({ id }) => id);
      expect(ids(told)).toEqual(ids(plain));
    }
  });

  it('refuses what it cannot honor', () => {
    expect(() => subset([], { client: -1, size: 1 })).toThrow('`client` must be');
    expect(() => subset([], { client: 0.5, size: 1 })).toThrow('`client` must be');
    expect(() => subset([], { client: '', size: 1 })).toThrow('`client` must be a number or a name, got ""');
    expect(() => subset([], { client: 0, size: 0 })).toThrow('`size` must be');
  });
});
