import { type Key, MaglevTable, type Placement, RendezvousHash } from '@ashlar/hash-ring';
import { describe, expect, it } from 'vitest';
import { dnsDiscovery } from '../../src/adapters/dns.ts';
import { consistent, type Endpoint, LoadBalancer, shuffleShard, zoneAware } from '../../src/index.ts';
import { Asking, candidate } from '../support/policies/candidates.ts';
import { a, NameServer, srv } from '../support/servers/name-server.ts';

const keys = Array.from({ length: 6_000 }, (_, index) => `product:${index}`);
const weighted = (weights: readonly number[]) =>
  weights.map((weight, index) => candidate(`${index}`, 'z', weight));

/** The endpoint of each key. */
function owners(asking: Asking): (string | undefined)[] {
  return keys.map(key => asking.pick(key));
}

/** The points that a placement of the default kind has for these endpoints. */
function pointsOf(endpoints: readonly Endpoint[]): number {
  return endpoints.reduce((sum, { weight = 1 }) => sum + 160 * weight, 0);
}

describe('consistent: weights are relative', () => {
  it.each([
    ['of SRV records', [65_535, 65_535, 32_767]],
    ['the largest', [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER / 2]],
    ['small ones', [2e-6, 2e-6, 1e-6]],
    ['the smallest', [4 * Number.MIN_VALUE, 4 * Number.MIN_VALUE, 2 * Number.MIN_VALUE]],
  ])('%s have their shares', (_, weights) => {
    for (const policy of [
      consistent(),
      consistent(endpoints => new MaglevTable(endpoints)),
      consistent(endpoints => new RendezvousHash(endpoints)),
      consistent(undefined, { loadFactor: 1.25 }),
      zoneAware({ zone: 'z', policy: consistent() }),
      shuffleShard({ size: 3, policy: consistent() }),
    ]) {
      const picked = owners(new Asking(policy, weighted(weights)));
      for (const [index, share] of [0.4, 0.4, 0.2].entries()) {
        const part = picked.filter(id => id === `${index}`).length / keys.length;
        expect(Math.abs(part - share)).toBeLessThan(0.06);
      }
    }
  });

  it('need no more than 2560 points an endpoint, and the whole ring has room for any set', () => {
    let points = 0;
    const policy = consistent(endpoints => {
      points = pointsOf(endpoints);
      const first = endpoints[0]!.id;
      const placement: Pick<Placement, 'find'> = {
        find: (_: Key, accept) => (accept(first) ? first : undefined),
      };
      return placement as Placement;
    });
    new Asking(policy, weighted(Array.from({ length: 1_000 }, () => 65_535)));
    expect(points).toBeLessThan(2_560_000);
    new Asking(policy, weighted(Array.from({ length: 20_000 }, () => 65_535)));
    expect(points).toBeLessThan(2 ** 24);
  });

  it('places as before where weights are ordinary, and the same at sixteen times each', () => {
    const plain = owners(new Asking(consistent(), weighted([1, 2, 15])));
    const times16 = owners(new Asking(consistent(), weighted([16, 32, 240])));
    expect(times16.filter((id, index) => id !== plain[index])).toEqual([]);
  });

  it('moves no key of others while the heaviest is ejected', () => {
    const all = weighted([1, 3, 65_535]);
    const asking = new Asking(consistent(), all);
    const before = owners(asking);
    asking.update(all.slice(0, 2), all);
    const after = owners(asking);
    expect(after.filter((id, index) => before[index] !== '2' && id !== before[index])).toEqual([]);
  });

  it('serves the SRV records of a name server', async () => {
    const server = await NameServer.start();
    server.says({
      'SRV _shop._tcp': srv('_shop._tcp', [1, 65_535, 80, 'one.shop'], [1, 65_535, 80, 'two.shop']),
      'A one.shop': a('one.shop', ['10.0.0.1']),
      'A two.shop': a('two.shop', ['10.0.0.2']),
    });
    const endpoints = dnsDiscovery('_shop._tcp', { type: 'SRV', resolver: server.resolver });
    const lb = new LoadBalancer({ endpoints, policy: consistent() });
    const ids = new Set<string>();
    for (const key of keys.slice(0, 50)) {
      const picked = await lb.acquire({ key });
      ids.add(picked.endpoint.id);
      picked.done({ ok: true });
    }
    expect([...ids].sort()).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
    await lb.close();
  });
});
