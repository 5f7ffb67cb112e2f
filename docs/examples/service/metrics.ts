// #region program
import type { CacheSnapshot } from '@ashlar/cache-policies';
import type { BalancerSnapshot } from '@ashlar/lb';
import { Counter, Gauge, Registry } from 'prom-client';

type Sample = readonly [labels: Record<string, string>, value: number];
interface Source<Snapshot> {
  snapshot(): Snapshot;
}

const registry = new Registry();

/** A metric that is read from snapshots whenever Prometheus scrapes. */
function metric(
  Metric: typeof Counter | typeof Gauge,
  name: string,
  help: string,
  samples: () => Sample[],
): void {
  const current = new Metric({
    name,
    help,
    labelNames: ['cache', 'balancer', 'endpoint', 'state'],
    registers: [registry],
    collect: () => {
      current.reset(); // a snapshot has totals, and endpoints may have left
      for (const [labels, value] of samples()) current.inc(labels, value);
    },
  });
}

function watchCaches(caches: readonly Source<CacheSnapshot>[]): void {
  const read = (value: (snapshot: CacheSnapshot) => number) => () =>
    caches.map((cache): Sample => [{ cache: cache.snapshot().name }, value(cache.snapshot())]);
  metric(
    Counter,
    'cache_hits_total',
    'Reads answered from the process',
    read(({ hits }) => hits),
  );
  metric(
    Counter,
    'cache_misses_total',
    'Reads that no tier answered',
    read(({ misses }) => misses),
  );
  metric(
    Counter,
    'cache_load_failures_total',
    'Loads that failed',
    read(({ loadFailures }) => loadFailures),
  );
  metric(
    Gauge,
    'cache_entries',
    'Entries in the process',
    read(({ size }) => size),
  );
}

function watchBalancers(balancers: readonly Source<BalancerSnapshot>[]): void {
  type EndpointSnapshot = BalancerSnapshot['endpoints'][number];
  const read = (value: (endpoint: EndpointSnapshot) => readonly [Record<string, string>, number]) => () =>
    balancers.flatMap(balancer => {
      const { name, endpoints } = balancer.snapshot();
      return endpoints.map((endpoint): Sample => {
        const [labels, number] = value(endpoint);
        return [{ balancer: name, endpoint: endpoint.id, ...labels }, number];
      });
    });
  metric(
    Counter,
    'lb_requests_failed_total',
    'Requests that failed',
    read(({ failed }) => [{}, failed]),
  );
  metric(
    Gauge,
    'lb_requests_in_flight',
    'Requests in flight',
    read(({ inFlight }) => [{}, inFlight]),
  );
  metric(
    Gauge,
    'lb_endpoint_state',
    '1 for the state of the endpoint',
    read(({ state }) => [{ state }, 1]),
  );
}

// #endregion program

import { Cache } from '@ashlar/cache-policies';
import { LoadBalancer } from '@ashlar/lb';

const cache = new Cache<string, string>({ name: 'products', max: 100, load: async id => `product ${id}` });
const lb = new LoadBalancer({ name: 'shop', endpoints: [{ id: 'replica-1' }, { id: 'replica-2' }] });
watchCaches([cache]);
watchBalancers([lb]);

await cache.get('42');
await cache.get('42');
lb.pick({ exclude: ['replica-2'] }).done({ ok: false });
const picked = lb.pick({ exclude: ['replica-1'] });
for (let scrape = 0; scrape < 2; scrape++) await registry.metrics(); // totals do not add up over scrapes
const text = await registry.metrics();
console.log(text.includes('cache_hits_total{cache="products"} 1\n')); // true
console.log(text.includes('cache_misses_total{cache="products"} 1\n')); // true
console.log(text.includes('cache_entries{cache="products"} 1\n')); // true
console.log(text.includes('lb_requests_failed_total{balancer="shop",endpoint="replica-1"} 1\n')); // true
console.log(text.includes('lb_requests_in_flight{balancer="shop",endpoint="replica-2"} 1\n')); // true
console.log(text.includes('lb_endpoint_state{balancer="shop",endpoint="replica-1",state="up"} 1\n')); // true
picked.done({ ok: true });
await cache.close();
await lb.close();
