import { parseArgs } from 'node:util';
import { startRedis } from '@workspace/services';
import { count } from '../arguments.ts';
import { table } from '../markdown.ts';
import { libraries } from './libraries.ts';
import { type Race, race, ways } from './races.ts';

const help = `npm run cache-races -w @workspace/benchmarks -- [--schedules N] [--seed S] [--json]

In how many schedules of reads, writes and a slow source a cache serves what a write had replaced before the read.
  --schedules N  of each kind (default 300)
  --seed S       of the schedules, which are the same for all libraries (default 1)
  --json         [{ library, instances, how, seed, schedules, wrong }]
`;

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(help);
else await main();

async function main(): Promise<void> {
  const options = { seed: count('seed', values.seed), schedules: count('schedules', values.schedules) };
  await using redis = await startRedis({ own: true });
  const races: Race[] = [];
  for (const library of Object.keys(libraries)) {
    for (const way of ways) races.push(await race(library, { ...options, ...way, port: redis.port }));
    process.stderr.write(`raced: ${library}\n`);
  }
  process.stdout.write(values.json ? `${JSON.stringify(races, null, 2)}\n` : tableOf(races));
}

function tableOf(races: readonly Race[]): string {
  const head = ways.map(({ instances, how }) => `${instances === 1 ? 'one' : 'two on one Redis'}, ${how}`);
  const rows = Object.keys(libraries).map(name => [
    name,
    ...races
      .filter(({ library }) => library === name)
      .map(({ wrong, schedules }) => `${wrong} of ${schedules}`),
  ]);
  return table(['schedules that served an old value', ...head], rows);
}
