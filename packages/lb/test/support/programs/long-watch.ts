/**
 * Goes so many rounds over one signal that never aborts, and prints what they leave: bytes of heap a round, listeners.
 * Needs `--expose-gc`: node --expose-gc --import tsx -C @ashlar/source long-watch.ts KIND ROUNDS
 */
import { getEventListeners } from 'node:events';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { follow, memoryStore } from '@ashlar/store';
import { dnsDiscovery, type ResolverLike } from '../../../src/adapters/dns.ts';
import { discover, type RegistryChange, type RegistryStore } from '../../../src/adapters/registry.ts';
import type { Discovery, Endpoint } from '../../../src/index.ts';

const [kind = '', rounds] = process.argv.slice(2);
const { signal } = new AbortController();

/** Short waits are over at once; long ones, which limit the time of something, never are. */
const clock = {
  now: () => 0,
  sleep: (ms: number, signal?: AbortSignal) =>
    ms < 5_000
      ? setImmediate(undefined, signal && { signal })
      : setTimeout(ms, undefined, { ref: false, ...(signal && { signal }) }),
};
const timing = { clock, signal, random: () => 0.2 };

let questions = 0;
const resolver: ResolverLike = {
  resolve4: async () => [{ address: `10.0.0.${questions++ % 200}`, ttl: 0 }],
  resolve6: async () => [],
  resolveSrv: async () => [],
};
const entry = {
  key: 'lb/default/a',
  value: new TextEncoder().encode('{"endpoint":{"id":"a"},"ttlMs":60000}'),
  version: '1',
};

let watches = 0;
/** Lists an entry and does without it from the second time on; what it tells is up to `watch`. */
function registry(watch: RegistryStore['watch']): RegistryStore {
  let isListed = true;
  return {
    get: async () => undefined,
    set: async () => '1',
    delete: async () => false,
    watch,
    async *list() {
      if (isListed) yield entry;
      isListed = false;
    },
  };
}

async function* changing(): AsyncGenerator<RegistryChange> {
  yield { type: 'reset' };
  for (let index = 0; ; index++) {
    const value = new TextEncoder().encode(`{"endpoint":{"id":"b","weight":${index % 50}},"ttlMs":60000}`);
    yield { type: 'put', entry: { key: 'lb/default/b', value, version: `${index}` } };
  }
}

async function* ending(): AsyncGenerator<RegistryChange> {
  watches++;
  yield { type: 'reset' };
}

async function read(discovery: Discovery<Endpoint>, until: () => boolean): Promise<void> {
  for await (const _ of discovery) if (until()) return;
}

const store = memoryStore();
const kinds: Record<string, (count: number) => Promise<void>> = {
  'questions of the DNS': count => {
    const enough = questions + count;
    const options = { ...timing, port: 80, resolver, minIntervalMs: 1, intervalMs: 1 };
    return read(dnsDiscovery('shop', options), () => questions >= enough);
  },
  'changes of a registry': count => {
    let changes = 0;
    return read(discover(registry(changing), 'default', timing), () => changes++ >= count);
  },
  'watches of a registry': async count => {
    const enough = watches + count;
    const iterator = discover(registry(ending), 'default', timing)[Symbol.asyncIterator]();
    await iterator.next();
    void iterator.next();
    while (watches < enough) await setImmediate();
    await iterator.return?.();
  },
  'discoveries of a registry': async count => {
    for (let index = 0; index < count; index++) await read(discover(store, 'default', timing), () => true);
  },
  'followers of a store': async count => {
    for (let index = 0; index < count; index++) for await (const _ of follow(store, 'a', { signal })) break;
  },
};

async function heapBytes(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    await setTimeout(20);
    globalThis.gc!();
  }
  return process.memoryUsage().heapUsed;
}

const run = kinds[kind]!;
await run(Number(rounds) / 2);
const before = await heapBytes();
await run(Number(rounds));
const bytesPerRound = ((await heapBytes()) - before) / Number(rounds);
await store.close();
console.log(JSON.stringify({ bytesPerRound, listeners: getEventListeners(signal, 'abort').length }));
