import { readFileSync } from 'node:fs';
import { type Flags, flagsHelp, type Running, readFlags, UsageError } from '@workspace/program';
import type { Case } from './case.ts';
import { startRealTiers } from './real-tier.ts';
import { type Finding, type FuzzReport, fuzz } from './run.ts';

const kinds = ['none', 'memory', 'pubsub', 'tracking'] as const;

const flags: Flags = {
  seed: { value: 'S', help: 'other cases, the same ones each time (1)' },
  runs: { value: 'N', help: 'how many cases (2000)' },
  within: { value: 'SECONDS', help: 'no case begins later than so (600)' },
  tier: { value: 'TIER', help: `only over that one: ${kinds.join(', ')}; the last two are on a real Redis` },
  case: { value: 'FILE', help: 'only the case in a JSON file, as --json prints it' },
  json: { help: 'findings as JSON' },
  help: { help: 'this text' },
};

const what = `npm run fuzz -w @ashlar/cache-policies -- [--seed S] [--runs N] [--within SECONDS] [--json]

Random calls of one or two caches, over no tier, memoryTier, and redisTier with both ways of invalidation, with each write
strategy, in virtual time where no server takes part. The order of all that goes on, callbacks that throw or return nonsense,
tiers that refuse, values that cannot be serialized and odd keys are random too. What breaks a promise is printed with its
smallest case. The exit code is 1 then.`;

export async function program(args: readonly string[], { signal }: Running): Promise<void> {
  const given = readFlags(args, flags);
  if (given.has('help')) return void process.stdout.write(flagsHelp(what, flags));
  const file = given.get('case');
  const only = file === undefined ? undefined : caseIn(file);
  const tiers = only === undefined ? tiersOf(given.get('tier')) : [only.setup.tier];
  await using real = needsServer(tiers) ? await startRealTiers() : undefined;
  const report = await fuzz({
    seed: given.integer('seed', 1, [0, 2 ** 31 - 1]),
    runs: given.integer('runs', 2_000, [1, 10_000_000]),
    withinMs: given.integer('within', 600, [1, 1_000_000]) * 1_000,
    ...{ tiers, only, openTier: real?.open, signal },
    onCase: done => {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${done} cases`);
    },
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  process.stdout.write(given.has('json') ? `${JSON.stringify(report, null, 2)}\n` : told(report));
  if (report.findings.length > 0) process.exitCode = 1;
}

/** Cases over a server take real time, so there are fewer of them. */
function tiersOf(name: string | undefined): readonly (typeof kinds)[number][] {
  if (name === undefined) {
    const quick = Array.from({ length: 10 }, () => ['none', 'memory', 'memory'] as const).flat();
    return [...quick, 'pubsub', ...quick, 'tracking'];
  }
  const kind = kinds.find(one => one === name);
  if (kind !== undefined) return [kind];
  throw new UsageError(`--tier must be one of ${kinds.join(', ')}, got ${JSON.stringify(name)}`);
}

function needsServer(tiers: readonly string[]): boolean {
  return tiers.some(tier => tier === 'pubsub' || tier === 'tracking');
}

function caseIn(file: string): Case {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Case;
  } catch (cause) {
    throw new UsageError(`--case must be a file with a case, got ${JSON.stringify(file)}`, { cause });
  }
}

function told({ seed, cases, steps, tookMs, findings }: FuzzReport): string {
  const rate = Math.round((cases / tookMs) * 1_000);
  const lines = [
    `seed ${seed}: ${cases} cases, ${steps} steps, ${rate} cases a second`,
    ...findings.map(toldFinding),
  ];
  return `${lines.join('\n')}\n`;
}

function toldFinding({ kind, detail, seed, times, smallest }: Finding): string {
  const { setup, steps } = smallest;
  return [
    '',
    `${kind} (${times} times; --seed ${seed})`,
    `  ${detail}`,
    `  setup ${JSON.stringify(setup)}`,
    ...steps.map(step => `  ${JSON.stringify(step)}`),
  ].join('\n');
}
