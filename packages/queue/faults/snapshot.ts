import { setTimeout as delay } from 'node:timers/promises';
import { type Fault, type Finding, Tally } from './fault.ts';
import { type Cost, type Holder, Place } from './snapshot/place.ts';
import { type Start, subjects } from './snapshot/subjects.ts';

/** For runs that are to be shorter. */
const jobs = Number(process.env['JOBS'] ?? 200_000);
const longMs = Number(process.env['HELD_MS'] ?? 600_000);
const shortMs = Math.min(20_000, longMs);
const bursts = 10;
/** For as long as the last leases last, claims by key look at what they were of. */
const restMs = 10_000;

/** Of a moment, without and with the transaction that is held open. */
type Pair = readonly [free: Cost, held: Cost];

/** What a claim costs without and with a transaction that is held open for so long, in turns on two servers. */
async function play(name: string, start: Start, holder: Holder, heldMs: number): Promise<Finding> {
  await using free = await Place.begin(start, 'nobody');
  await using held = await Place.begin(start, holder);
  const tally = new Tally();
  const say = (text: string) => process.stderr.write(`${name}: ${text}\n`);
  say(
    'seconds held; blocks of a claim, of all statements a message, µs of the CPU of the sessions a message: without → with',
  );
  const heldAt = performance.now();
  const look = async (when: string): Promise<Pair> => {
    const pair: Pair = [await free.cost(), await held.cost()];
    const seconds = Math.round((performance.now() - heldAt) / 1_000);
    const both = (what: keyof Cost) => pair.map(each => each[what].toFixed(0)).join(' → ');
    say(`${seconds} s, ${held.passed} messages, ${when}: ${both('claim')}; ${both('all')}; ${both('cpuUs')}`);
    return pair;
  };
  const afterBursts: Pair[] = [];
  for (let burst = 1; burst <= bursts; burst++) {
    const places = burst % 2 === 0 ? [free, held] : [held, free];
    for (const place of places) await place.pass(jobs / bursts);
    afterBursts.push(await look('after a burst'));
    await delay(Math.max(0, heldAt + (burst * heldMs) / bursts - performance.now()));
  }
  await delay(restMs);
  const rested = [await look('rested')];
  tally.operations = free.passed + held.passed;
  for (const [when, pairs] of Object.entries({ 'after a burst': afterBursts, rested })) {
    // What a claim without it meets by chance, such as autovacuum at work, would hide in a mean what one with it costs
    const median = (index: 0 | 1) => {
      const sorted = pairs.map(pair => pair[index].claim).sort((a, b) => a - b);
      return sorted[(sorted.length - 1) >> 1]!;
    };
    const blocks = [median(0), median(1)] as const;
    const remark = `${when}, a claim reads ${blocks[1].toFixed(1)} blocks with it, and ${blocks[0].toFixed(1)} without`;
    tally.expect(blocks[1] <= 2 * blocks[0], remark);
  }
  return tally.finding();
}

const holders = {
  snapshot: ['reader', 'a snapshot is held'],
  write: ['writer', 'a transaction that has written is open'],
} as const;

/** Too long for a test. */
export const snapshotFaults: readonly Fault[] = [shortMs, longMs].flatMap((heldMs, index) =>
  Object.entries(holders).flatMap(([what, [holder, about]]) =>
    Object.entries(subjects).map(([subject, start]): Fault => {
      const name = `postgres-${index === 0 ? 'old' : '10min'}-${what}-${subject}`;
      return {
        name,
        about: `${about} over ${jobs} messages (JOBS) and ${heldMs / 1_000} s at least${index === 0 ? '' : ' (HELD_MS)'}, ${subject}: a claim reads at most twice the blocks`,
        usualRuns: 1,
        async begin() {
          return { run: () => play(name, start, holder, heldMs), async [Symbol.asyncDispose]() {} };
        },
      };
    }),
  ),
);
