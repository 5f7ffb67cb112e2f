import { type AttemptContext, type Endpoint, LoadBalancer, type LoadBalancerOptions } from '@ashlar/lb';
import { type Bench, figures, median, noiseFloor } from '@workspace/bench';

type Once = () => Promise<unknown>;

const rounds = 21;
const runsEach = 8_000;
/** As many as a busy process has under way. */
const width = 64;

const endpoints = Array.from({ length: 10 }, (_, i) => ({ id: `10.0.0.${i}` }));
const attempt = async () => 1;
const reading = async ({ signal }: AttemptContext<Endpoint>) => signal.aborted;
const { signal } = new AbortController();

function balancer(options: Partial<LoadBalancerOptions<Endpoint>> = {}): LoadBalancer<Endpoint> {
  return new LoadBalancer<Endpoint>({ endpoints, ...options });
}

function works(): Record<string, Once> {
  const [plain, hedged, limited] = [balancer(), balancer({ hedge: {} }), balancer({ concurrency: 100 })];
  const timed = balancer({ retry: { attemptTimeoutMs: 5_000 } });
  const run = () => plain.run(attempt);
  return {
    run,
    [noiseFloor]: run,
    'the attempt alone': attempt,
    'pick, attempt, done': async () => {
      const picked = plain.pick();
      await attempt();
      picked.done({ ok: true });
    },
    'run, of an attempt that reads its signal': () => plain.run(reading),
    'run with timeoutMs': () => plain.run(attempt, { timeoutMs: 5_000 }),
    'run with signal': () => plain.run(attempt, { signal }),
    'run with retry.attemptTimeoutMs': () => timed.run(attempt),
    'run with hedge': () => hedged.run(attempt, { idempotent: true }),
    'run with concurrency': () => limited.run(attempt),
  };
}

/** CPU of the whole process, as some of the cost is that of collecting garbage on other threads. */
async function cpuNanoseconds(once: Once): Promise<number> {
  const before = process.cpuUsage();
  const worker = async () => {
    for (let i = 0; i < runsEach / width; i++) await once();
  };
  await Promise.all(Array.from({ length: width }, worker));
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / runsEach;
}

export const runs: readonly Bench[] = [
  figures('CPU of a run, 64 at a time', 'ns', async () => {
    const all = Object.entries(works());
    const samples: Record<string, number[]> = Object.fromEntries(all.map(([name]) => [name, []]));
    for (let round = -1; round < rounds; round++) {
      for (let turn = 0; turn < all.length; turn++) {
        // In a new order each time: who comes after whom matters
        const [name, once] = all[(turn + round * 3 + 3) % all.length]!;
        const took = await cpuNanoseconds(once);
        if (round >= 0) samples[name]!.push(took);
      }
    }
    const { run, ...peers } = Object.fromEntries(all.map(([name]) => [name, median(samples[name]!)]));
    return { ours: ['run', run!], peers };
  }),
];
