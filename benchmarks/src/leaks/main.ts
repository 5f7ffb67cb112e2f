import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand, UsageError } from '@workspace/program';
import { makeRequests } from './clients.ts';
import type { Order, Sample } from './sample.ts';

/** The backends of each program; which makes its requests by itself, except the proxy. */
const backends: Readonly<Record<string, string | undefined>> = {
  proxy: 'backend',
  dispatcher: 'backend',
  grpc: 'grpc-backend',
  registry: undefined,
};

await runCommand({
  name: 'leaks',
  about: `npm run leaks -w @workspace/benchmarks -- [--of NAME] [--requests N] [--parts N] [--connections N]

Requests of all kinds, good and bad; after each part, with all of them over, what the process holds that balances them:
reverseProxy, fetch with balancedDispatcher, balancedChannel of grpc, or register and discover over a store in memory,
where a request is a registration.`,
  flags: {
    of: { value: 'NAME', help: `${Object.keys(backends).join(', ')} (proxy)` },
    requests: { value: 'N', help: 'in all (1000000)' },
    parts: { value: 'N', help: 'samples (5)' },
    connections: { value: 'N', help: 'requests under way at once (64)' },
  },
  async run(given) {
    const name = given.get('of') ?? 'proxy';
    if (!Object.hasOwn(backends, name)) {
      throw new UsageError(`--of must be of ${Object.keys(backends).join(', ')}, got "${name}"`);
    }
    const times = given.integer('requests', 1_000_000, [1, 1e9]);
    const parts = given.integer('parts', 5, [1, 1e6]);
    await measureParts(name, parts, { times, concurrency: given.integer('connections', 64, [1, 1e6]) });
  },
});

async function measureParts(name: string, parts: number, { times, concurrency }: Order): Promise<void> {
  const children: ChildProcess[] = [];
  const start = async (program: string, args: readonly string[] = []): Promise<[ChildProcess, number]> => {
    const file = new URL(`./programs/${program}.ts`, import.meta.url);
    const child = fork(file, [...args], { execArgv: ['--import', 'tsx'] });
    children.push(child);
    const [port] = (await once(child, 'message')) as [number];
    return [child, port];
  };
  try {
    const backend = backends[name];
    const started = backend === undefined ? [] : [await start(backend), await start(backend)];
    const [program, port] = await start(
      name,
      started.map(([, port]) => `http://127.0.0.1:${port}`),
    );
    const order = { times: Math.ceil(times / parts), concurrency };
    print(['requests', 'RSS, MB', 'heap, MB', 'external, MB', 'sockets', 'timers', 'in flight', 'retries']);
    print(['---:', '---:', '---:', '---:', '---:', '---:', '---:', '---:']);
    row(0, await settled(program));
    for (let part = 1; part <= parts; part++) {
      if (name === 'proxy') await makeRequests(port, order);
      else await made(program, order);
      row(part * order.times, await settled(program));
    }
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

async function made(program: ChildProcess, order: Order): Promise<void> {
  program.send(order);
  await once(program, 'message');
}

/** When the connections that are kept to the backends have been idle for long enough to be closed, or ten seconds. */
async function settled(program: ChildProcess): Promise<Sample> {
  for (let tries = 0; ; tries++) {
    program.send('sample');
    const [sample] = (await once(program, 'message')) as [Sample];
    if ((sample.sockets === 0 && sample.inFlight === 0) || tries === 20) return sample;
    await sleep(500);
  }
}

function row(requests: number, sample: Sample): void {
  const { rss, heapUsed, external, sockets, timers, inFlight, retries } = sample;
  const sizes = [rss, heapUsed, external].map(bytes => (bytes / 1e6).toFixed(1));
  print([requests, ...sizes, sockets, timers, inFlight, retries]);
}

function print(cells: readonly (number | string)[]): void {
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}
