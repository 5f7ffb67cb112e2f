import { noiseFloor } from '@workspace/bench';
import { markdownTable, runCommand } from '@workspace/program';
import { type Figures, importTimes } from './measure.ts';

const ours = ['@ashlar/hash-ring', '@ashlar/store', '@ashlar/lb', '@ashlar/cache-policies'];
const peers = ['lru-cache', 'hashring', 'undici', 'bentocache'];
const kinds = [
  ['CPU time', 'cpuMs'],
  ['wall time', 'wallMs'],
] as const;

await runCommand({
  name: 'import-time',
  about: `npm run import-time -w @workspace/benchmarks -- [--runs N] [--json]

Imports the built packages and their peers, each in a process of its own and in turns; needs \`npm run build\`.`,
  flags: {
    runs: { value: 'N', help: 'how often each is imported (30)' },
    json: { help: '[{ bench, subject, peer, unit, value, peerValue, ratio }]; ratio is peerValue / value' },
  },
  async run(given) {
    // Ours once more: what differs between the two is noise
    const runs = given.integer('runs', 30, [1, 1e6]);
    const figures = await importTimes([...ours, ...ours, ...peers], runs, round => {
      process.stderr.write(`round ${round} of ${runs}\n`);
    });
    const its = new Map([...ours, ...ours.map(again), ...peers].map((name, i) => [name, figures[i]!]));
    process.stdout.write(given.has('json') ? json(its) : asTable(its));
  },
});

function again(name: string): string {
  return `${name} again (noise floor)`;
}

function asTable(its: ReadonlyMap<string, Figures>): string {
  const unit = its.get('lru-cache')!;
  const head = ['import', ...kinds.flatMap(([bench]) => [`${bench}, ms`, '/ lru-cache'])];
  const rows = [...its].map(([name, figures]) => [
    name,
    ...kinds.flatMap(([, kind]) => [figures[kind].toFixed(1), `${(figures[kind] / unit[kind]).toFixed(2)}×`]),
  ]);
  return `${markdownTable([head, ...rows])}\n`;
}

function json(its: ReadonlyMap<string, Figures>): string {
  const rows = ours.flatMap(subject =>
    kinds.flatMap(([bench, kind]) =>
      [again(subject), ...peers].map(peer => {
        const [value, peerValue] = [its.get(subject)![kind], its.get(peer)![kind]];
        const name = peer === again(subject) ? noiseFloor : peer;
        return {
          ...{ bench: `import: ${bench}`, subject, peer: name, unit: 'ms' },
          ...{ value, peerValue, ratio: peerValue / value },
        };
      }),
    ),
  );
  return `${JSON.stringify(rows, null, 2)}\n`;
}
