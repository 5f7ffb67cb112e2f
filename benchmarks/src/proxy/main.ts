import { parseArgs } from 'node:util';
import { count, fail } from '../arguments.ts';
import { type Comparison, compare } from './compare.ts';
import { loads } from './loads.ts';
import { json, tables } from './print.ts';

const help = `npm run proxy -w @workspace/benchmarks -- [--backends N,N] [--filter TEXT] [--rounds N] [--seconds N] [--connections N] [--json]

Puts the same loads through each proxy in turns, over the same backends and kept connections.
  --backends N,N   over how many backends, one comparison each (default 1,8)
  --filter TEXT    only the loads whose name contains TEXT: ${loads.map(({ name }) => name).join(', ')}
  --rounds N       how often each has its turn (default 7)
  --seconds N      how long a turn lasts (default 1)
  --connections N  requests under way at once (default 32)
  --json           [{ bench, subject, peer, unit, value, peerValue, ratio }]
`;

const { values } = parseArgs({
  options: {
    backends: { type: 'string', default: '1,8' },
    filter: { type: 'string', default: '' },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '32' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(help);
else await main();

async function main(): Promise<void> {
  const chosen = loads.filter(({ name }) => name.includes(values.filter));
  if (chosen.length === 0) fail(`no load has "${values.filter}" in its name`);
  const settings = {
    rounds: count('rounds', values.rounds),
    seconds: count('seconds', values.seconds),
    connections: count('connections', values.connections),
    loads: chosen,
  };
  const comparisons: Comparison[] = [];
  for (const text of values.backends.split(',')) {
    comparisons.push(...(await compare({ ...settings, backends: count('backends', text) })));
  }
  process.stdout.write(values.json ? json(comparisons) : tables(comparisons));
}
