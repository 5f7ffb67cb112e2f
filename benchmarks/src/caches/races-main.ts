import { markdownTable, runCommand } from '@workspace/program';
import { startRedis } from '@workspace/services';
import { libraries } from './libraries.ts';
import { type Race, race, ways } from './races.ts';

await runCommand({
  name: 'cache-races',
  about: `npm run cache-races -w @workspace/benchmarks -- [--schedules N] [--seed S] [--json]

In how many schedules of reads, writes and a slow source a cache serves what a write had replaced before the read.`,
  flags: {
    schedules: { value: 'N', help: 'of each kind (300)' },
    seed: { value: 'S', help: 'of the schedules, which are the same for all libraries (1)' },
    json: { help: '[{ library, instances, how, seed, schedules, wrong }]' },
  },
  async run(given) {
    const seed = given.integer('seed', 1, [1, 1e9]);
    const schedules = given.integer('schedules', 300, [1, 1e9]);
    await using redis = await startRedis({ own: true });
    const races: Race[] = [];
    for (const library of Object.keys(libraries)) {
      for (const way of ways) races.push(await race(library, { seed, schedules, ...way, port: redis.port }));
      process.stderr.write(`raced: ${library}\n`);
    }
    process.stdout.write(`${given.has('json') ? JSON.stringify(races, null, 2) : tableOf(races)}\n`);
  },
});

function tableOf(races: readonly Race[]): string {
  const head = ways.map(({ instances, how }) => `${instances === 1 ? 'one' : 'two on one Redis'}, ${how}`);
  const rows = Object.keys(libraries).map(name => [
    name,
    ...races
      .filter(({ library }) => library === name)
      .map(({ wrong, schedules }) => `${wrong} of ${schedules}`),
  ]);
  return markdownTable([['schedules that served an old value', ...head], ...rows]);
}
