/**
 * Makes so many requests of all kinds with one balancer and prints what is left of them. Needs
 * `--expose-gc`: node --expose-gc --import tsx -C @ashlar/source long-run.ts REQUESTS
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { type AttemptContext, type Endpoint, LoadBalancer, peakEwma } from '../../../src/index.ts';

const requests = Number(process.argv[2]);
const shared = new AbortController();
const feed: (() => void)[] = [];
const ids = Array.from({ length: 10 }, (_, index) => `e${index}`);
let generation = 0;
let mostWaiting = 0;

async function* changing(): AsyncGenerator<Endpoint[]> {
  for (;;) {
    yield ids.map((id, index) => ({ id: index === 9 ? `${id}-${generation}` : id }));
    await new Promise<void>(resolve => feed.push(resolve));
  }
}

const lb = new LoadBalancer({
  endpoints: changing(),
  policy: peakEwma(),
  hedge: { delayMs: 1, budgetPercent: 100 },
  retry: { budgetPercent: 100 },
  concurrency: 6,
  maxWaitMs: 60_000,
});

const well = async (): Promise<unknown> => 1;
const failing = async ({ attempt }: AttemptContext<Endpoint>) => {
  if (attempt === 1) throw new Error('first');
};
const stuck = () => new Promise<unknown>(() => {});
const slowAtFirst = ({ attempt, signal }: AttemptContext<Endpoint>) =>
  attempt === 1 ? setTimeout(1_000, undefined, { signal }) : well();

const held = async () => {
  using picked = await lb.acquire({ signal: shared.signal });
  mostWaiting = Math.max(mostWaiting, lb.snapshot().waiting);
  await setImmediate();
  picked.done({ ok: true });
};

const cheap: (() => unknown)[] = [
  () => lb.run(well),
  held,
  () => {
    try {
      lb.pick({ key: 'k', exclude: ['e1'] }).done({ ok: true });
    } catch {
      // All are full for now
    }
  },
  () => lb.run(well, { signal: shared.signal, timeoutMs: 20_000 + Math.floor(Math.random() * 1_000) }),
];
const costly: (() => unknown)[] = [
  () => lb.run(({ signal }) => (signal.aborted ? stuck() : well()), { timeoutMs: 30_000 }),
  // Rejects when all others are full
  () => lb.run(failing, { idempotent: true }).catch(() => {}),
  async () => {
    const caller = new AbortController();
    const running = lb.run(stuck, { signal: caller.signal, timeoutMs: 30_000 });
    await setImmediate();
    caller.abort('enough');
    await running.catch(() => {});
  },
  () => lb.run(slowAtFirst, { idempotent: true }),
];

async function run(count: number, atOnce: number, kindOf: (number: number) => () => unknown): Promise<void> {
  let made = 0;
  const worker = async () => {
    for (let number = made++; number < count; number = made++) {
      await kindOf(number)();
      if (number % 2_000 !== 0) continue;
      generation++;
      feed.shift()?.();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** There are 60 places: first enough for hedges and retries, who do not wait for one, then fewer than wanted. */
async function runAll(count: number): Promise<void> {
  await run(count, 32, number => (number % 32 < 4 ? costly : cheap)[number % 4]!);
  await run(count / 4, 96, () => held);
}

async function heapBytes(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    await setTimeout(20);
    globalThis.gc!();
  }
  return process.memoryUsage().heapUsed;
}

await runAll(requests / 5);
const before = await heapBytes();
await runAll(requests);
const grownBytes = (await heapBytes()) - before;
const { inFlight, waiting, hedgesWon, retries } = lb.snapshot();
await lb.close();
const resources = process
  .getActiveResourcesInfo()
  .filter(name => name === 'Timeout' || name.startsWith('TCP'));
console.log(JSON.stringify({ grownBytes, inFlight, waiting, mostWaiting, hedgesWon, retries, resources }));
