import { type GivenFlags, runCommand, UsageError } from '@workspace/program';
import { type Comparison, compare } from './compare.ts';
import { loads } from './loads.ts';
import { json, tables } from './print.ts';

await runCommand({
  name: 'proxy',
  about: `npm run proxy -w @workspace/benchmarks -- [--backends N,N] [--filter TEXT] [--rounds N] [--seconds N] [--connections N] [--json]

Puts the same loads through each proxy in turns, over the same backends and kept connections.`,
  flags: {
    backends: { value: 'N,N', help: 'over how many backends, one comparison each (1,8)' },
    filter: {
      value: 'TEXT',
      help: `only the loads whose name contains TEXT: ${loads.map(({ name }) => name).join(', ')}`,
    },
    rounds: { value: 'N', help: 'how often each has its turn (7)' },
    seconds: { value: 'N', help: 'how long a turn lasts (1)' },
    connections: { value: 'N', help: 'requests under way at once (32)' },
    json: { help: '[{ bench, subject, peer, unit, value, peerValue, ratio }]' },
  },
  async run(given) {
    const filter = given.get('filter') ?? '';
    const chosen = loads.filter(({ name }) => name.includes(filter));
    if (chosen.length === 0) throw new UsageError(`no load has "${filter}" in its name`);
    const settings = {
      rounds: given.integer('rounds', 7, [1, 1e6]),
      seconds: given.integer('seconds', 1, [1, 1e6]),
      connections: given.integer('connections', 32, [1, 1e6]),
      loads: chosen,
    };
    const comparisons: Comparison[] = [];
    for (const backends of backendsOf(given)) {
      comparisons.push(...(await compare({ ...settings, backends })));
    }
    process.stdout.write(given.has('json') ? json(comparisons) : tables(comparisons));
  },
});

function backendsOf(given: GivenFlags): number[] {
  const text = given.get('backends') ?? '1,8';
  if (/^[1-9]\d{0,3}(,[1-9]\d{0,3})*$/.test(text)) return text.split(',').map(Number);
  throw new UsageError(`--backends must be whole numbers above 0, got "${text}"`);
}
