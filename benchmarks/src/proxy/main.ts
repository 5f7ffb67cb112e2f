import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { median } from '@workspace/bench';
import { cpuTimeMs } from './cpu-time.ts';
import { type Subject, startBackends, starters } from './subjects.ts';

const help = `npm run proxy -w @workspace/benchmarks -- [--rounds N] [--seconds N] [--connections N] [--json]

Puts the same load through each proxy in turns, over the same backends and kept connections.
  --rounds N       how often each has its turn (default 5)
  --seconds N      how long a turn lasts (default 3)
  --connections N  requests under way at once (default 32)
  --json           [{ bench, subject, peer, unit, value, peerValue, ratio }]
`;

interface Turn {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly cpuMicrosPerRequest: number;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '32' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(help);
else await compare(count('rounds'), count('seconds'), count('connections'));

function count(option: 'rounds' | 'seconds' | 'connections'): number {
  const value = Number(values[option]);
  if (Number.isInteger(value) && value > 0) return value;
  process.stderr.write(`--${option} must be a whole number above 0, got ${values[option]}\n`);
  process.exit(2);
}

async function compare(rounds: number, seconds: number, connections: number): Promise<void> {
  const backends = await startBackends(4);
  const subjects: Subject[] = [];
  try {
    for (const start of Object.values(starters)) subjects.push(await start(backends.urls));
    // The first once more: what differs between the two is noise
    const [ours] = Object.entries(starters)[0]!;
    subjects.push({ ...(await starters[ours]!(backends.urls)), name: `${ours} again (noise floor)` });
    const turns = new Map<Subject, Turn[]>(subjects.map(subject => [subject, []]));
    // The first round warms up and is not counted
    for (let round = 0; round <= rounds; round++) {
      for (const subject of subjects) {
        const turn = await takeTurn(subject, round === 0 ? 2 : seconds, connections);
        if (round > 0) turns.get(subject)!.push(turn);
      }
      process.stderr.write(`round ${round} of ${rounds}\n`);
    }
    print(subjects, turns);
  } finally {
    await Promise.allSettled([...subjects.map(subject => subject.stop()), backends.stop()]);
  }
}

/** The load comes from a process of its own. */
async function takeTurn(subject: Subject, seconds: number, connections: number): Promise<Turn> {
  const before = await cpuTimeMs(subject.pid);
  const load = fork(
    new URL('./programs/load.ts', import.meta.url),
    [subject.url, String(seconds), String(connections)],
    {
      execArgv: ['--import', 'tsx'],
    },
  );
  const gone = once(load, 'exit');
  const [result] = (await Promise.race([once(load, 'message'), gone.then(() => [undefined])])) as [
    { requests: number; failed: number; p99Ms: number; seconds: number } | undefined,
  ];
  await gone;
  if (result === undefined) throw new Error(`the load on ${subject.name} ended without a result`);
  if (result.failed > 0)
    throw new Error(`${subject.name} failed ${result.failed} of ${result.requests} requests`);
  const cpuMs = (await cpuTimeMs(subject.pid)) - before;
  return {
    perSecond: result.requests / result.seconds,
    p99Ms: result.p99Ms,
    cpuMicrosPerRequest: (cpuMs * 1000) / result.requests,
  };
}

function print(subjects: readonly Subject[], turns: ReadonlyMap<Subject, readonly Turn[]>): void {
  const medianOf = (subject: Subject, what: keyof Turn) =>
    median(turns.get(subject)!.map(turn => turn[what]));
  const [ours, ...peers] = subjects as [Subject, ...Subject[]];
  const figures: readonly (readonly [bench: string, unit: string, what: keyof Turn])[] = [
    ['CPU time a request', 'µs', 'cpuMicrosPerRequest'],
    ['requests a second', '1/s', 'perSecond'],
    ['p99', 'ms', 'p99Ms'],
  ];
  const rows = figures.flatMap(([bench, unit, what]) =>
    peers.map(peer => {
      const [value, peerValue] = [medianOf(ours, what), medianOf(peer, what)];
      return { bench, subject: ours.name, peer: peer.name, unit, value, peerValue, ratio: peerValue / value };
    }),
  );
  if (values.json) return void process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
  const line = (cells: readonly (number | string)[]) => process.stdout.write(`| ${cells.join(' | ')} |\n`);
  line(['', ...figures.map(([bench, unit]) => `${bench}, ${unit}`)]);
  line(['---', '---:', '---:', '---:']);
  for (const subject of subjects) {
    line([
      subject.name,
      ...figures.map(([, , what]) => medianOf(subject, what).toFixed(what === 'p99Ms' ? 2 : 0)),
    ]);
  }
}
