import { setTimeout as delay } from 'node:timers/promises';
import { type Bench, figures, inTable } from '@workspace/bench';
import type { Rate } from '../../src/index.ts';
import { type Site, sites, type WorkQueue } from './sites.ts';

/** What tenant A publishes, in batches, before B begins. */
const backlog = 100_000;
const batch = 1_000;
/** What tenant B publishes, one at a time at a steady pace. */
const count = 200;
const paceMs = 20;
/** All places together handle 500 messages a second: A has work for 200 s, B asks for a tenth of the places. */
const handlers = 10;
const handlingMs = 20;
/** The same rate, with bursts of a second and of a tenth of one. */
const rates: readonly Rate[] = [
  { count: 100, perMs: 1_000 },
  { count: 10, perMs: 100 },
];
/** Over which starts are counted, after the bursts with which full buckets begin. */
const windowMs = 6_000;
const burstMs = 2_000;

/** After A has published, until B begins: drivers sort what is published by its keys. */
const sortingMs = 4_000;

type Tenant = 'A' | 'B';

async function publishAll(queue: WorkQueue, key: Tenant, messages: number): Promise<void> {
  for (let n = 0; n < messages; n += batch) {
    const payloads = Array.from({ length: Math.min(batch, messages - n) }, (_, index) => ({ n: n + index }));
    const results = await queue.publishMany('work', payloads, () => ({ key }));
    const refused = results.find(({ ok }) => !ok);
    if (refused !== undefined) throw new Error(`${key} could not publish`, { cause: refused });
  }
}

/**
 * How long each message of B waits for its handler, from the call that publishes it; milliseconds, the shortest first.
 *
 * @param before what A publishes
 * @param startsLate whether the consumer starts when A has published, and B with it; else it runs before, and B begins a
 *   while after A has published
 */
async function waits(site: Site, before: number, startsLate = false): Promise<readonly number[]> {
  const queue = await site.queue();
  await queue.declare('work');
  const publishedAt: number[] = [];
  const waited: number[] = [];
  let all = () => {};
  const done = new Promise<void>(resolve => {
    all = resolve;
  });
  const stop = new AbortController();
  const handler = async ({ n }: { readonly n: number }, { key }: { readonly key?: string | undefined }) => {
    if (key === 'B') waited.push(performance.now() - publishedAt[n]!);
    if (waited.length === count) all();
    await delay(handlingMs, undefined, { signal: stop.signal }).catch(() => {});
  };
  if (startsLate) await publishAll(queue, 'A', before);
  await queue.subscribe('work', handler, { concurrency: handlers, fair: true });
  if (!startsLate) {
    await publishAll(queue, 'A', before);
    if (before > 0) await delay(sortingMs);
  }
  const started = performance.now();
  const published: Promise<unknown>[] = [];
  for (let n = 0; n < count; n++) {
    await delay(started + n * paceMs - performance.now());
    publishedAt.push(performance.now());
    published.push(queue.publish('work', { n }, { key: 'B' }));
  }
  await Promise.all(published);
  await done;
  stop.abort();
  await queue.close();
  return waited.sort((a, b) => a - b);
}

/** What A and B start in a second, while both have more to start than they may. */
async function started(site: Site, keyRate: Rate): Promise<Record<Tenant, number>> {
  const queue = await site.queue();
  await queue.declare('work');
  await publishAll(queue, 'A', backlog);
  await publishAll(queue, 'B', (4 * (windowMs + burstMs) * keyRate.count) / keyRate.perMs);
  const starts = { A: 0, B: 0 };
  const handler = (_: unknown, { key }: { readonly key?: string | undefined }) => {
    starts[key as Tenant]++;
  };
  await queue.subscribe('work', handler, { concurrency: handlers, limits: { keyRate } });
  while (starts.A === 0 || starts.B === 0) await delay(10);
  await delay(burstMs);
  const [from, before] = [performance.now(), { ...starts }];
  await delay(windowMs);
  const seconds = (performance.now() - from) / 1_000;
  const found = { A: (starts.A - before.A) / seconds, B: (starts.B - before.B) / seconds };
  await queue.close();
  return found;
}

interface Waits {
  readonly beside: readonly number[];
  readonly alone: readonly number[];
  readonly again: readonly number[];
  readonly late: readonly number[];
}

async function measureWaits(name: string): Promise<Waits> {
  await using site = await sites[name]!();
  await waits(site, 0); // Connections, and code that is not compiled yet
  const alone = await waits(site, 0);
  const beside = await waits(site, backlog);
  const again = await waits(site, 0);
  return { alone, beside, again, late: await waits(site, backlog, true) };
}

const at = (sorted: readonly number[], share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;

function waitsOf(name: string): readonly Bench[] {
  let measured: Promise<Waits> | undefined;
  return Object.entries({ p50: 0.5, p99: 0.99, max: 1 }).map(([label, share]) =>
    figures(`tenants: ${name}, B waits, ${label}`, 'ms', async () => {
      measured ??= measureWaits(name);
      const { beside, alone, again, late } = await measured;
      // All places may have just begun with messages of A: the first that is free is B's
      const bound = handlingMs + 3 * at(alone, share);
      return {
        ours: [`beside ${backlog} of A`, at(beside, share)],
        peers: {
          alone: at(alone, share),
          'alone, again': at(again, share),
          ...(share === 0.99 && { bound }),
          'from the first moment': at(late, share),
        },
      };
    }),
  );
}

function ratesOf(name: string): readonly Bench[] {
  return rates.map(keyRate =>
    figures(`rates: ${name}, ${keyRate.count} in ${keyRate.perMs} ms`, 'messages/s', async () => {
      await using site = await sites[name]!();
      const { A, B } = await started(site, keyRate);
      return { ours: ['A', A], peers: { B, asked: (keyRate.count / keyRate.perMs) * 1_000 } };
    }),
  );
}

/** What a tenant has of a queue that another has filled: fairness between keys, and the rate of a key. */
export const tenants: readonly Bench[] = [
  ...inTable('tenants', Object.keys(sites).flatMap(waitsOf)),
  ...inTable('rates', Object.keys(sites).flatMap(ratesOf)),
];
