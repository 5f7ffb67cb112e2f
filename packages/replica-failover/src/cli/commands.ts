import { type Command, type Flags, UsageError } from '@workspace/program';
import type { SwitchoverReport } from '../authority.ts';
import type { ReplicaSetSnapshot, ServerSnapshot } from '../snapshot.ts';
import { drill, follows, type ProbeReport } from './drill.ts';
import { print, printJson } from './print.ts';
import { type AnySet, configFlag, withSet } from './target.ts';

const json: Flags = { json: { help: 'print JSON' } };
const to: Flags = {
  to: { value: 'ID', help: 'the server that becomes primary (default: the one furthest)' },
};
const codes =
  'Exit codes: 0 done, 1 failed on the way, 2 the command line cannot be used, 130 stopped by Ctrl-C.';

export const overview: string = `Looks at a replica set of @ashlar/replica-failover, and changes its primary.

  npx @ashlar/replica-failover COMMAND --config FILE [--json]

  status       who is primary, who follows, how far, and what needs an operator
  switchover   makes another server the primary; writes wait for a moment
  drill        a switchover under probes that change nothing: what callers would have noticed

COMMAND --help shows its flags. ${codes}
`;

/** Each command, given the signal of Ctrl-C. */
export const commands: Readonly<Record<string, (signal: AbortSignal) => Command>> = {
  status: () => ({
    name: 'status',
    about:
      'Who is primary, who follows, how far, and what needs an operator. Fails when there is no primary.',
    flags: { ...configFlag, ...json },
    notes: codes,
    run: given =>
      withSet(given, async set => {
        const snapshot = set.snapshot();
        if (given.has('json')) return printJson(snapshot);
        print(headOf(snapshot));
        print([serversHead, ...snapshot.servers.map(serverRow)]);
        for (const warning of snapshot.leading?.warnings ?? []) print(`warning: ${warning}`);
        return 0;
      }),
  }),
  switchover: signal => ({
    name: 'switchover',
    about:
      'Makes another server the primary. Writes wait meanwhile, in every process of a set that leads. Where hooks rewind the\n' +
      'primary of before, it waits until that follows. Stopped with Ctrl-C before anybody is promoted, all is taken back.',
    flags: { ...configFlag, ...to, ...json },
    notes: codes,
    run: given =>
      withSet(given, async set => {
        const report = await set.switchover({ to: given.get('to'), signal });
        if (given.has('json')) printJson(report);
        else print(lineOf(report));
        return settled(set, report, signal);
      }),
  }),
  drill: signal => ({
    name: 'drill',
    about:
      'Hands over while probes that change nothing write and read, and says what they have noticed. With --back it hands back,\n' +
      'when the primary of before follows.',
    flags: {
      ...configFlag,
      ...to,
      back: { help: 'hands back afterwards' },
      yes: { help: 'needed, as the primary changes' },
      ...json,
    },
    notes: codes,
    run: given => {
      if (!given.has('yes')) throw new UsageError('drill changes the primary: add --yes');
      return withSet(given, async set => {
        const report = await drill(set, { to: given.get('to'), back: given.has('back'), signal });
        const { switchovers, writes, reads } = report;
        if (given.has('json')) printJson(report);
        else {
          for (const each of switchovers) print(lineOf(each));
          print([
            ['probes', 'count', 'failed', 'longest gap'],
            probeRow('writes', writes),
            probeRow('reads', reads),
          ]);
          for (const error of [...writes.errors, ...reads.errors]) print(error);
        }
        const code = await settled(set, switchovers.at(-1)!, signal);
        return writes.failed + reads.failed > 0 ? 1 : code;
      });
    },
  }),
};

/** A rewind must not end with this process: it is waited for. */
async function settled(
  set: AnySet,
  { from, before }: SwitchoverReport,
  signal: AbortSignal,
): Promise<number> {
  if (before === 'rejoins') await follows(set, from, signal);
  return 0;
}

const serversHead: readonly string[] = [
  'server',
  'region',
  'state',
  'role',
  'position',
  'behind',
  'round trip',
];

function serverRow(server: ServerSnapshot): string[] {
  const { id, region, state, role, isFenced, position, stalenessMs, roundTripMs } = server;
  return [
    id,
    region ?? '',
    state,
    isFenced ? `${role}, fenced` : (role ?? ''),
    position === undefined ? '' : `${position.term}/${position.offset}`,
    stalenessMs === undefined ? '' : ms(stalenessMs),
    roundTripMs === undefined ? '' : ms(roundTripMs),
  ];
}

function headOf({ name, primary, term, authority, leading }: ReplicaSetSnapshot): string {
  const changing = leading?.phase === 'changing' ? '; the primary is being changed' : '';
  const loss = leading?.loss === undefined ? '' : `; writes may be missing: ${leading.loss}`;
  return `${name}: ${primary ?? 'nobody'} is primary, term ${term ?? '?'}, as says ${authority}${changing}${loss}`;
}

function lineOf({ from, to, term, pausedMs, stepsMs = {}, before }: SwitchoverReport): string {
  const old = { rejoins: `; ${from} is rewound`, fenced: `; ${from} stays fenced` };
  const line = `${to} is primary, term ${term}, after ${from}; writes waited ${ms(pausedMs)}${before ? old[before] : ''}`;
  const steps = Object.entries(stepsMs).map(([step, took]) => `${step} ${ms(took)}`);
  return steps.length === 0 ? line : `${line}\n${steps.join(', ')}`;
}

function probeRow(name: string, { count, failed, longestGapMs }: ProbeReport): string[] {
  return [name, `${count}`, `${failed}`, ms(longestGapMs)];
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
