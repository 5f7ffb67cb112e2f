import { parseArgs } from 'node:util';
import { startRedis } from '@workspace/services';
import { count } from '../arguments.ts';
import { table } from '../markdown.ts';
import { libraries } from './libraries.ts';
import { type Stampede, stampede } from './stampedes.ts';

const help = `npm run cache-stampedes -w @workspace/benchmarks -- [--keys N] [--json]

How often a cold key is loaded for 50 callers at once, half of them at each of two instances on one Redis.
  --keys N  so many keys, one after the other (default 20)
  --json    [{ library, processes, callers, loads }]; loads has a number for each key
`;

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(help);
else await main();

async function main(): Promise<void> {
  const options = { callers: 50, keys: count('keys', values.keys) };
  await using redis = await startRedis({ own: true });
  const all: Stampede[] = [];
  for (const library of Object.keys(libraries)) {
    for (const processes of [1, 2] as const)
      all.push(await stampede(library, { ...options, processes, port: redis.port }));
    process.stderr.write(`asked: ${library}\n`);
  }
  process.stdout.write(values.json ? `${JSON.stringify(all, null, 2)}\n` : tableOf(all));
}

function tableOf(all: readonly Stampede[]): string {
  const rows = Object.keys(libraries).map(name => [
    name,
    ...all.filter(({ library }) => library === name).map(({ loads }) => span(loads)),
  ]);
  return table(['loads of a cold key for 50 callers', 'two instances in a process', 'two processes'], rows);
}

function span(loads: readonly number[]): string {
  const [least, most] = [Math.min(...loads), Math.max(...loads)];
  return least === most ? `${least}` : `${least} to ${most}`;
}
