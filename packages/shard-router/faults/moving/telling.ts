import type { Finding } from '../fault.ts';
import type { Coordinator, Traffic } from './peers.ts';
import type { Write } from './roles.ts';

/** One run on a line, for whoever comes back later. */
export function wordsOf({
  operations,
  lost,
  duplicated,
  twoPlaces,
  stale,
  unexpected,
  pauseMs,
  recoveryMs,
}: Finding): string {
  const bad = Object.entries({ lost, duplicated, twoPlaces, stale, unexpected }).filter(
    ([, count]) => count > 0,
  );
  const times = Object.entries({ pause: pauseMs, recovery: recoveryMs }).filter(([, ms]) => ms !== undefined);
  const what =
    bad.length === 0 ? 'ok' : `NOT OK: ${bad.map(([name, count]) => `${count} ${name}`).join(', ')}`;
  return [what, `${operations} writes`, ...times.map(([name, ms]) => `${name} ${Math.round(ms!)} ms`)].join(
    ', ',
  );
}

/** How long the steps of each process took, what failed on the way, and how long its own pauses were. */
export function stepsOf(coordinators: readonly Coordinator[]): string[] {
  const steps = coordinators.map(({ tookMs, pausesMs }) =>
    [
      ...[...tookMs]
        .filter(([, ms]) => ms >= 1_000)
        .map(([name, ms]) => `${name} ${Math.round(ms / 1_000)} s`),
      ...pausesMs.map(ms => `fence to commit ${Math.round(ms)} ms`),
    ].join(', '),
  );
  const failures = new Set(
    coordinators.flatMap(({ said }) => said.filter(each => each.startsWith('failed'))),
  );
  return [steps.join(' | then '), ...failures];
}

/**
 * The longest write of a moved row and of another row, and the steps in which they began: where both were slow at once, something else than
 * the fence held them up.
 */
export function slowestOf(
  traffic: readonly Traffic[],
  coordinators: readonly Coordinator[],
  isMoved: (customer: string) => boolean,
): string {
  const wordsOf = (what: string, isOne: (customer: string) => boolean) => {
    const write = longest(traffic, ({ customer }) => isOne(customer));
    if (write === undefined) return [];
    const ms = Math.round(write.endedAt - write.begunAt);
    return [`longest write of ${what} ${ms} ms, begun ${momentOf(write.begunAt, coordinators)}`];
  };
  return [...wordsOf('a moved row', isMoved), ...wordsOf('another', each => !isMoved(each))].join('; ');
}

/** How long the writes took that began in each step, of all rows. */
export function writesOf(traffic: readonly Traffic[], coordinators: readonly Coordinator[]): string {
  const told = coordinators.flatMap(({ steps }) => steps).sort((a, b) => a.at - b.at);
  const tookMs = new Map<string, number[]>();
  for (const { writes, wasStopped } of traffic) {
    if (wasStopped) continue;
    for (const { begunAt, endedAt } of writes) {
      const step = told.findLast(({ at }) => at <= begunAt)?.step ?? 'before';
      const of = tookMs.get(step) ?? [];
      tookMs.set(step, of);
      of.push(endedAt - begunAt);
    }
  }
  const words = [...tookMs].map(([step, of]) => {
    of.sort((a, b) => a - b);
    const at = (part: number) => Math.round(of[Math.ceil(part * of.length) - 1]!);
    return `${step} ${of.length} ${at(0.5)}/${at(0.99)}/${at(1)}`;
  });
  return `writes begun in each step, ms at p50/p99/max: ${words.join(', ')}`;
}

/** Of the processes that were not stopped. */
export function longest(traffic: readonly Traffic[], counts: (write: Write) => boolean): Write | undefined {
  let found: Write | undefined;
  for (const { writes, wasStopped } of traffic) {
    if (wasStopped) continue;
    for (const write of writes) {
      const isLonger = found === undefined || write.endedAt - write.begunAt > found.endedAt - found.begunAt;
      if (isLonger && counts(write)) found = write;
    }
  }
  return found;
}

/** The last step that any of them has told by then. */
function momentOf(at: number, coordinators: readonly Coordinator[]): string {
  const told = coordinators.flatMap(({ steps }) => steps).filter(each => each.at <= at);
  const last = told.reduce<(typeof told)[number] | undefined>(
    (latest, each) => (latest === undefined || each.at >= latest.at ? each : latest),
    undefined,
  );
  return last === undefined ? 'before the move' : `${Math.round(at - last.at)} ms into ${last.step}`;
}
