import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { makeRequests } from './clients.ts';
import type { Sample } from './sample.ts';

const help = `npm run proxy-leaks -w @workspace/benchmarks -- [--requests N] [--parts N] [--connections N]

Requests of all kinds, good and bad, through reverseProxy; after each part, with all clients gone, what its process holds.
  --requests N     in all (default 1000000)
  --parts N        samples (default 5)
  --connections N  requests under way at once (default 64)
`;

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    parts: { type: 'string', default: '5' },
    connections: { type: 'string', default: '64' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(help);
else await main(Number(values.requests), Number(values.parts), Number(values.connections));

async function main(requests: number, parts: number, connections: number): Promise<void> {
  const children: ChildProcess[] = [];
  const start = async (program: string, args: readonly string[] = []): Promise<[ChildProcess, number]> => {
    const file = new URL(`./programs/${program}.ts`, import.meta.url);
    const child = fork(file, [...args], { execArgv: ['--import', 'tsx'] });
    children.push(child);
    const [port] = (await once(child, 'message')) as [number];
    return [child, port];
  };
  try {
    const backends = [await start('backend'), await start('backend')];
    const urls = backends.map(([, port]) => `http://127.0.0.1:${port}`);
    const [proxy, port] = await start('proxy', urls);
    print(['requests', 'RSS, MB', 'heap, MB', 'external, MB', 'sockets', 'timers', 'in flight', 'retries']);
    print(['---:', '---:', '---:', '---:', '---:', '---:', '---:', '---:']);
    row(0, await settled(proxy));
    for (let part = 1; part <= parts; part++) {
      await makeRequests(port, Math.ceil(requests / parts), connections);
      row(part * Math.ceil(requests / parts), await settled(proxy));
    }
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

/** When the connections that are kept to the backends have been idle for long enough to be closed, or ten seconds. */
async function settled(proxy: ChildProcess): Promise<Sample> {
  for (let tries = 0; ; tries++) {
    proxy.send('sample');
    const [sample] = (await once(proxy, 'message')) as [Sample];
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
