import { readFileSync } from 'node:fs';
import {
  type Flags,
  flagsHelp,
  type GivenFlags,
  type Running,
  readFlags,
  UsageError,
} from '@workspace/program';
import { answerBytes, type Case, requestBytes } from './case.ts';
import { known } from './differences.ts';
import { quirkNames } from './grammar/cases.ts';
import { type Finding, type FuzzReport, fuzz } from './run.ts';
import { kindOf, shown } from './verdict/difference.ts';

const flags: Flags = {
  seed: { value: 'S', help: 'other cases, the same ones each time (1)' },
  runs: { value: 'N', help: 'how many cases (2000)' },
  case: {
    value: 'N|FILE',
    help: 'only the case of that number, or the one in a JSON file as --json prints it',
  },
  within: { value: 'SECONDS', help: 'no case begins later than so (600)' },
  alone: { help: 'by the rules alone, without nginx and HAProxy' },
  json: { help: 'findings as JSON' },
  help: { help: 'this text' },
};

const what = `npm run fuzz -w @ashlar/lb -- [--seed S] [--runs N] [--case N|FILE] [--json]

The same bytes go through reverseProxy, nginx and HAProxy to an endpoint that records what reaches it. What differs, or
breaks a rule, and does not stand in fuzz/differences, is printed with its smallest case. The exit code is 1 then.

${quirkNames.join(', ')}`;

export async function program(args: readonly string[], { signal }: Running): Promise<void> {
  const given = readFlags(args, flags);
  if (given.has('help')) return void process.stdout.write(flagsHelp(what, flags));
  const report = await fuzz({
    seed: given.integer('seed', 1, [0, 2 ** 31]),
    runs: given.integer('runs', 2_000, [1, 10_000_000]),
    only: onlyOf(given),
    known,
    ...(given.has('alone') ? { peers: [] } : {}),
    withinMs: given.integer('within', 600, [1, 1_000_000]) * 1_000,
    signal,
    onCase: done => {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${done} cases`);
    },
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  process.stdout.write(given.has('json') ? `${JSON.stringify(report, null, 2)}\n` : told(report));
  if (report.findings.length > 0 || report.uncaught.length > 0) process.exitCode = 1;
}

function onlyOf(given: GivenFlags): number | Case | undefined {
  const text = given.get('case');
  if (text === undefined || /^\d+$/.test(text)) return text === undefined ? undefined : Number(text);
  try {
    return JSON.parse(readFileSync(text, 'utf8')) as Case;
  } catch (cause) {
    throw new UsageError(`--case must be a number or a file with a case, got ${JSON.stringify(text)}`, {
      cause,
    });
  }
}

function told({ cases, tookMs, against, skipped, findings, explained, uncaught }: FuzzReport): string {
  const rate = Math.round((cases / tookMs) * 1_000);
  const lines = [
    `${cases} cases against ${against.join(' and ') || 'the rules alone'}, ${rate} a second`,
    ...skipped.map(reason => `without a peer: ${reason}`),
    ...known.map(({ name }) => `  ${explained[name] ?? 0} × ${name}`),
    ...uncaught.map(stack => `uncaught: ${stack}`),
    ...findings.map(toldFinding),
  ];
  return `${lines.join('\n')}\n`;
}

function toldFinding({ seed, index, difference, smallest, times }: Finding): string {
  const { against, ours, theirs } = difference;
  const { quirks, head, body, answer, ...timed } = smallest;
  const { interim, head: answerHead, body: answerBody, ...answered } = answer;
  return [
    '',
    `${kindOf(difference)} (${times} times; --seed ${seed}${index === undefined ? '' : ` --case ${index}`})`,
    `  ours    ${shown(ours)}`,
    `  ${against.padEnd(7)} ${shown(theirs)}`,
    `  request ${shown(requestBytes({ head, body }))} ${JSON.stringify(timed)}`,
    `  answer  ${shown(answerBytes({ interim, head: answerHead, body: answerBody, ...answered }))} ${JSON.stringify(answered)}`,
    `  from    ${quirks.join(', ')}`,
  ].join('\n');
}
