import { InvalidOptionError } from '@ashlar/core';
import { HashRing } from '@ashlar/hash-ring';
import { memoryStore } from '@ashlar/store';
import { describe, expect, it } from 'vitest';
import { register } from '../src/adapters/registry.ts';
import { policyConformance } from '../src/conformance.ts';
import {
  aimd,
  consistent,
  gradient2,
  httpCheck,
  InvalidEndpointError,
  LoadBalancer,
  LoadGauge,
  leastRequests,
  peakEwma,
  prequal,
  random,
  roundRobin,
  shuffleShard,
  subset,
  weightedRoundRobin,
  zoneAware,
} from '../src/index.ts';
import { policyNames } from '../src/policy.ts';
import { bursts, failing, logNormal, poisson, Simulation, uniform } from '../src/simulator.ts';
import { policies } from './policies.ts';
import { Feed } from './support/discovery/feed.ts';

/** A call with arguments that its types forbid. */
type Loose = (...values: unknown[]) => unknown;

const lb = (options: object) => () => new LoadBalancer({ endpoints: [{ id: 'a' }], ...options });
const loosely = (make: object) => make as Loose;
const balancer = new LoadBalancer({ endpoints: [{ id: 'a' }, { id: 'b' }] });
const method = (name: 'pick' | 'acquire' | 'run' | 'drain' | 'watch') =>
  (balancer[name] as Loose).bind(balancer);
const attempt = async () => 'done';
const settle = (settlement: unknown) => () =>
  (balancer.pick().done as Loose).call(balancer.pick(), settlement);
const judging = (verdict: unknown) => () => method('run')(attempt, { classify: () => verdict });
const simulation = (options: object) => () =>
  new Simulation({ replicas: [], arrivals: poisson(1), ...options } as never);

const cases: Record<string, [make: () => unknown, option: string, message: string][]> = {
  LoadBalancer: [
    [() => new (LoadBalancer as never as new () => unknown)(), 'LoadBalancer', 'takes an object of options'],
    [() => new LoadBalancer([{ id: 'a' }] as never), 'LoadBalancer', 'got an array'],
    [
      lb({ endpoints: undefined }),
      'endpoints',
      '`endpoints` is required: a list of endpoints or a discovery',
    ],
    [lb({ endpoints: 'ab' }), 'endpoints', 'got "ab"; write `[{ id: "ab" }]`'],
    [lb({ endpoints: { id: 'a' } }), 'endpoints', 'got an object with id; write `[endpoint]`'],
    [lb({ endpoint: [] }), 'endpoint', 'did you mean `endpoints`?'],
    [lb({ name: 5 }), 'name', 'a string that is not empty, got 5'],
    [lb({ policy: 'peakEwma' }), 'policy', "write `peakEwma()`, imported from '@ashlar/lb'"],
    [lb({ policy: 'round-robin' }), 'policy', "write `roundRobin()`, imported from '@ashlar/lb'"],
    [lb({ policy: 'ROUND_ROBIN' }), 'policy', 'write `roundRobin()`,'],
    [lb({ policy: 'least-request' }), 'policy', 'write `leastRequests()`,'],
    [lb({ policy: 'ip hash' }), 'policy', 'there are roundRobin(), random(),'],
    [lb({ policy: null }), 'policy', 'got null'],
    [lb({ policy: roundRobin()() }), 'policy', 'write `() => new Policy()`'],
    [lb({ policy: () => undefined }), 'policy', 'a function that returns one, got undefined'],
    [lb({ clock: Date }), 'clock', 'an object with now(), sleep()'],
    [lb({ random: 0.5 }), 'random', 'a function, got 0.5'],
    [lb({ concurrency: null }), 'concurrency', 'got null'],
    [lb({ concurrency: gradient2()() }), 'concurrency', 'write `() => limiter`'],
    [lb({ maxWaitMs: '5s' }), 'maxWaitMs', 'a number of milliseconds of at least 0, got "5s"'],
    [lb({ slowStartMs: Infinity }), 'slowStartMs', 'got Infinity'],
    [lb({ health: httpCheck() }), 'health', '`health` takes an object of options, got a function'],
    [lb({ health: { check: 'http://a/health' } }), 'health.check', 'write `check: httpCheck()`'],
    [lb({ hedge: true }), 'hedge', '`hedge` takes an object of options, got true'],
    [lb({ hedge: null }), 'hedge', 'got null'],
    [lb({ hedge: { delay: 5 } }), 'hedge.delay', 'did you mean `delayMs`?'],
    [lb({ hedge: { percentile: 0.95 } }), 'hedge.percentile', 'got 0.95 (number); write 95 for 95 %'],
    [lb({ hedge: { percentile: 1 } }), 'hedge.percentile', 'got 1 (number); write 100 for 100 %'],
    [lb({ hedge: { budgetPercent: 0.1 } }), 'hedge.budgetPercent', 'write 10 for 10 %'],
    [lb({ retry: { budgetPercent: 0.2 } }), 'retry.budgetPercent', 'write 20 for 20 %'],
    [lb({ panicPercent: 0.5 }), 'panicPercent', 'a percentage, not a fraction, got 0.5'],
    [lb({ outlier: { maxEjectionPercent: 0.07 } }), 'outlier.maxEjectionPercent', 'write 7 for 7 %'],
    [
      lb({ outlier: { failurePercent: { threshold: 0.85 } } }),
      'outlier.failurePercent.threshold',
      'write 85 for 85 %',
    ],
    [
      lb({ health: { check: async () => true, jitterPercent: 0.1 } }),
      'health.jitterPercent',
      'write 10 for 10 %',
    ],
    [lb({ policy: HashRing }), 'policy', 'got the class HashRing; write `() => new HashRing()`'],
    [lb({ concurrency: LoadGauge }), 'concurrency', 'got the class LoadGauge; write `() => new LoadGauge()`'],
    [
      lb({ concurrency: gradient2 }),
      'concurrency',
      'got a function that was not called; write `gradient2()`',
    ],
    [lb({ concurrency: aimd }), 'concurrency', 'got a function that was not called; write `aimd()`'],
    [lb({ health: { check: LoadGauge } }), 'health.check', 'a function, got the class LoadGauge'],
    [lb({ retry: 3 }), 'retry', '`retry` takes an object of options, got 3'],
    [lb({ retry: { attempt: 3 } }), 'retry.attempt', 'did you mean `attempts`?'],
    [lb({ outlier: [] }), 'outlier', 'got an array'],
    [lb({ outlier: { baseEjection: 5 } }), 'outlier.baseEjection', 'did you mean `baseEjectionMs`?'],
    [
      lb({ outlier: { maxEjectionMs: 5 } }),
      'outlier.maxEjectionMs',
      '`baseEjectionMs`, which is 30000, got 5',
    ],
  ],
  'the requests of a balancer': [
    [() => method('pick')({ keys: 'a' }), 'keys', 'lb.pick has no option `keys`; did you mean `key`?'],
    [() => method('pick')('user:1'), 'options', 'write `lb.pick({ key: "user:1" })`'],
    [() => method('pick')(null), 'options', 'got null'],
    [() => method('pick')({ key: 7 }), 'key', "a string or bytes, got 7 (number); write `'7'`"],
    [() => method('pick')({ key: null }), 'key', 'got null'],
    [() => method('pick')({ exclude: 'a' }), 'exclude', 'a list of ids, got "a"; write `["a"]`'],
    [() => method('pick')({ exclude: null }), 'exclude', 'got null'],
    [() => method('pick')({ exclude: [{ id: 'a' }] }), 'exclude[0]', 'write `endpoint.id`'],
    [() => method('acquire')({ timeout: 5 }), 'timeout', 'did you mean `timeoutMs`?'],
    [() => method('acquire')('user:1'), 'options', 'write `lb.acquire({ key: "user:1" })`'],
    [
      () => method('run')(attempt, { timeout: 5 }),
      'timeout',
      'lb.run has no option `timeout`; did you mean `timeoutMs`?',
    ],
    [() => method('run')(attempt, { idempotant: true }), 'idempotant', 'did you mean `idempotent`?'],
    [() => method('run')(attempt, { idempotent: 'yes' }), 'idempotent', 'true or false, got "yes"'],
    [() => method('run')(attempt, { hedge: {} }), 'hedge', 'true or false, got an empty object'],
    [() => method('run')(attempt, { classify: 503 }), 'classify', 'write `classify: result => ({ ok })`'],
    [() => method('run')(attempt, { signal: new AbortController() }), 'signal', 'controller.signal'],
    [() => method('run')(attempt, null), 'options', 'got null'],
    [() => method('run')({ timeoutMs: 5 }), 'attempt', 'a function, got an object with timeoutMs'],
    [() => method('run')(), 'attempt', '`attempt` is required: a function that makes an attempt'],
    [judging({ success: true }), 'success', 'the verdict of `classify` has no option `success`'],
    [judging(undefined), 'classify', 'a function that returns `{ ok }`, got undefined'],
    [judging(Promise.resolve({ ok: true })), 'classify', 'got a Promise; it returned this, synchronously'],
    [judging({ ok: 1 }), 'ok', 'true or false, got 1'],
    [() => method('drain')('a', { timeout: 5 }), 'timeout', 'lb.drain has no option `timeout`'],
    [() => method('drain')('a', null), 'lb.drain', 'got null'],
    [() => method('drain')({ id: 'a' }), 'id', 'lb has no endpoint an object with id'],
    [() => method('watch')({}), 'listener', 'a function, got an empty object'],
    [() => method('watch')(() => {}, { signal: 1 }), 'signal', 'lb.watch has no option `signal`'],
    [() => method('watch')(() => {}, { check: true }), 'check', 'a function, got true'],
    [() => method('watch')(() => {}, {}, 1), 'lb.watch', 'lb.watch takes two arguments, got 3'],
  ],
  'the end of a request': [
    [settle({ success: true }), 'success', 'done has no option `success`'],
    [settle({}), 'ok', '`ok` must be true or false, got undefined'],
    [settle(true), 'settlement', 'write `done({ ok: true })`'],
    [settle(null), 'settlement', 'got null'],
    [settle({ ok: false, retryAfter: 5 }), 'retryAfter', 'did you mean `retryAfterMs`?'],
    [settle({ ok: true, latencyMs: '5' }), 'latencyMs', 'a number of milliseconds, got "5"'],
  ],
  policies: [
    [() => loosely(leastRequests)({ penalty: 5 }), 'penalty', 'leastRequests has no option `penalty`'],
    [() => loosely(peakEwma)({ decay: 5 }), 'decay', 'did you mean `decayMs`?'],
    [() => loosely(peakEwma)(null), 'peakEwma', 'got null'],
    [() => loosely(prequal)(), 'prequal', 'prequal takes an object of options, got undefined'],
    [() => loosely(prequal)({ probe: 'http://a/load' }), 'probe', 'a function, got "http://a/load"'],
    [() => loosely(consistent)({ loadFactor: 2 }), 'place', 'write `consistent(undefined, { loadFactor })`'],
    [() => loosely(consistent)(undefined, { load: 2 }), 'load', 'consistent has no option `load`'],
    [
      () => loosely(consistent)(HashRing),
      'place',
      'a function, got the class HashRing; write `endpoints => new HashRing(endpoints)`',
    ],
    [
      lb({ policy: consistent((() => ({})) as never) }),
      'place',
      'a function that makes a placement, got an empty object',
    ],
    [lb({ policy: consistent((() => undefined) as never) }), 'place', 'got undefined'],
    [() => loosely(roundRobin)({ penaltyMs: 5 }), 'roundRobin', 'roundRobin takes no arguments, got 1'],
    [() => loosely(random)({}), 'random', 'random takes no arguments'],
    [() => loosely(weightedRoundRobin)({}), 'weightedRoundRobin', 'weightedRoundRobin takes no arguments'],
    [() => loosely(zoneAware)('eu-1a'), 'zoneAware', 'got "eu-1a"'],
    [() => loosely(zoneAware)({}), 'zone', '`zone` is required: the zone of this client'],
    [() => loosely(zoneAware)({ zone: 'a', policy: 'random' }), 'policy', 'write `random()`'],
    [() => loosely(shuffleShard)({ size: '2' }), 'size', 'an integer of at least 1, got "2"'],
    [() => loosely(gradient2)({ windows: 5 }), 'gradient2.windows', 'did you mean `windowMs`?'],
    [() => loosely(aimd)({ max: 0 }), 'aimd.max', 'an integer of at least 1, got 0'],
    [() => loosely(aimd)({ initial: 'ten' }), 'aimd.initial', 'an integer, got "ten"'],
    [() => new LoadGauge({} as never), 'clock', 'an object with now()'],
  ],
  subset: [
    [() => loosely(subset)('ab', { client: 0, size: 1 }), 'endpoints', 'got "ab"'],
    [() => loosely(subset)(null, { client: 0, size: 1 }), 'endpoints', 'got null'],
    [() => loosely(subset)([{ id: 'a' }]), 'subset', 'takes an object of options, got undefined'],
    [() => loosely(subset)([], { client: null, size: 1 }), 'client', 'a number or a name, got null'],
    [() => loosely(subset)([], { client: 0 }), 'size', '`size` is required'],
  ],
  httpCheck: [
    [() => loosely(httpCheck)('/health'), 'httpCheck', 'takes an object of options, got "/health"'],
    [() => loosely(httpCheck)({ path: 'health' }), 'path', "write `'/health'`"],
    [() => loosely(httpCheck)({ method: 5 }), 'method', 'got 5'],
    [() => loosely(httpCheck)({ headers: 'accept: */*' }), 'headers', 'write `{ name: value }`'],
    [() => loosely(httpCheck)({ headers: { age: 5 } }), 'headers.age', 'a string, got 5'],
    [() => loosely(httpCheck)({ expectStatus: null }), 'expectStatus', 'got null'],
    [() => loosely(httpCheck)({ expectStatus: [] }), 'expectStatus', 'got an array'],
    [() => loosely(httpCheck)({ fetch: {} }), 'fetch', 'a function, got an empty object'],
  ],
  'the simulator': [
    [simulation({ arrivals: 200 }), 'arrivals', 'write `arrivals: poisson(perSecond)`'],
    [simulation({ replicas: 'ab' }), 'replicas', 'an array, got "ab"'],
    [simulation({ replicas: [{ id: 'a', behavior: 5 }] }), 'behavior', 'serving(constant(10))'],
    [simulation({ balancer: null }), 'balancer', 'got null'],
    [simulation({ seed: 0.5 }), 'seed', 'an integer, got 0.5'],
    [() => loosely(poisson)('5'), 'perSecond', 'a number above 0, got "5"'],
    [() => loosely(bursts)(5), 'size', '`size` is required'],
    [() => loosely(uniform)(5), 'maxMs', '`maxMs` is required'],
    [() => loosely(logNormal)(5, null), 'sigma', 'got null'],
    [() => loosely(failing)({ after: 5 }), 'after', 'did you mean `afterMs`?'],
  ],
  policyConformance: [
    [() => loosely(policyConformance)({ describe, it }, roundRobin(), {}), 'name', '`name` is required'],
    [
      () =>
        loosely(policyConformance)({ describe, it }, roundRobin(), {
          name: 'x',
          features: { weights: true },
        }),
      'features.weights',
      'did you mean `weighted`?',
    ],
  ],
};

for (const [area, table] of Object.entries(cases)) {
  describe(`a mistake in ${area}`, () => {
    it.each(table)('is refused, with what to write: %s %s', async (make, option, message) => {
      // Some throw and some reject
      const error = await (async () => make())().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(InvalidOptionError);
      expect(error).toMatchObject({ option, message: expect.stringContaining(message) });
    });
  });
}

describe('the fields of an endpoint', () => {
  const make = (endpoint: object) => () => new LoadBalancer({ endpoints: [{ id: 'a', ...endpoint }] });

  it.each([
    [{ wieght: 5 }, 'has no field `wieght`; did you mean `weight`?'],
    [{ Weight: 5 }, 'did you mean `weight`?'],
    [{ uri: 'http://a' }, 'did you mean `url`?'],
    [{ zon: 'eu' }, 'did you mean `zone`?'],
    [{ ulr: 'http://a' }, 'did you mean `url`?'],
  ])('are refused when misspelled: %o', (endpoint, message) => {
    expect(make(endpoint)).toThrow(InvalidEndpointError);
    expect(make(endpoint)).toThrow(message);
  });

  it.each([{ height: 5 }, { weight: 5, weights: [5] }, { region: 'eu', port: 80, zoneId: 'z' }, { w: 1 }])(
    'may be the own ones of a user: %o',
    endpoint => {
      expect(make(endpoint)).not.toThrow();
    },
  );
});

describe('the url of an endpoint', () => {
  const make = (url: unknown) => () => new LoadBalancer({ endpoints: [{ id: 'a', url: url as string }] });

  it.each([
    ['not a url', '("a") must have an absolute url as its `url`, got "not a url"'],
    ['', 'got ""'],
    ['/shop', 'got "/shop"'],
    ['10.0.0.1:8080', 'got "10.0.0.1:8080"; write `http://10.0.0.1:8080`'],
    ['localhost:8080/x', 'got "localhost:8080/x"; write `http://localhost:8080/x`'],
    ['shop.internal:80', 'write `http://shop.internal:80`'],
    ['http://', 'got "http://"'],
    ['//user:secret@a', 'got "//…@a"'],
    [new URL('http://a'), 'must have a string as its `url`, got an URL; write `String(url)`'],
  ])('is refused: %s', (url, message) => {
    expect(make(url)).toThrow(InvalidEndpointError);
    expect(make(url)).toThrow(message);
  });

  it.each(['http://a', 'https://[::1]:8080/x', 'unix:/run/app.sock', 'redis://a:6379/0', 'dns:///a'])(
    'may be of any protocol: %s',
    url => {
      expect(make(url)).not.toThrow();
    },
  );

  it('is checked in a registration and in a discovery too', async () => {
    const store = memoryStore();
    await expect(register(store, { id: 'a', url: 'not a url' })).rejects.toThrow(InvalidEndpointError);
    await store.close();
    const feed = new Feed<{ id: string; url: string }>();
    const own = new LoadBalancer({ endpoints: feed });
    await feed.give([{ id: 'a', url: 'http://a' }]);
    await feed.give([{ id: 'b', url: 'not a url' }]);
    expect(own.endpoints.map(({ id }) => id)).toEqual(['a']);
    expect(own.snapshot().discoveryError).toContain('not a url');
    await own.close();
  });
});

it('keeps a request in flight whose end was refused', () => {
  const own = new LoadBalancer({ endpoints: [{ id: 'a' }] });
  const picked = own.pick();
  expect(() => picked.done({ success: true } as never)).toThrow(InvalidOptionError);
  expect(own.snapshot()).toMatchObject({ inFlight: 1 });
  picked.done({ ok: true });
  expect(own.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ succeeded: 1 }] });
});

it('names every policy of the package where one is written as a text', () => {
  const functions = new Set(policies.map(({ name }) => name.replace(/\(.*/, '')));
  expect([...policyNames].sort()).toEqual([...functions].sort());
});
