import { markdownTable, runCommand } from '@workspace/program';
import { startRedis } from '@workspace/services';
import { libraries } from './libraries.ts';
import { type Stampede, stampede } from './stampedes.ts';

await runCommand({
  name: 'cache-stampedes',
  about: `npm run cache-stampedes -w @workspace/benchmarks -- [--keys N] [--json]

How often a cold key is loaded for 50 callers at once, half of them at each of two instances on one Redis.`,
  flags: {
    keys: { value: 'N', help: 'so many keys, one after the other (20)' },
    json: { help: '[{ library, processes, callers, loads }]; loads has a number for each key' },
  },
  async run(given) {
    const options = { callers: 50, keys: given.integer('keys', 20, [1, 1e9]) };
    await using redis = await startRedis({ own: true });
    const all: Stampede[] = [];
    for (const library of Object.keys(libraries)) {
      for (const processes of [1, 2] as const)
        all.push(await stampede(library, { ...options, processes, port: redis.port }));
      process.stderr.write(`asked: ${library}\n`);
    }
    process.stdout.write(`${given.has('json') ? JSON.stringify(all, null, 2) : tableOf(all)}\n`);
  },
});

function tableOf(all: readonly Stampede[]): string {
  const rows = Object.keys(libraries).map(name => [
    name,
    ...all.filter(({ library }) => library === name).map(({ loads }) => span(loads)),
  ]);
  return markdownTable([
    ['loads of a cold key for 50 callers', 'two instances in a process', 'two processes'],
    ...rows,
  ]);
}

function span(loads: readonly number[]): string {
  const [least, most] = [Math.min(...loads), Math.max(...loads)];
  return least === most ? `${least}` : `${least} to ${most}`;
}
