import { setTimeout as delay } from 'node:timers/promises';
import { type Random, seededRandom } from '@ashlar/core';
import { Peer } from '@workspace/faults';
import { cronSchedule } from '../../src/index.ts';
import { Vault } from '../../src/publish/vault.ts';
import { Ledger } from '../../src/runs/ledger.ts';
import type { JobState } from '../../src/runs/state.ts';
import { ticksBetween } from '../../src/schedule/schedule.ts';
import { type Fault, type Finding, Tally } from '../fault.ts';
import { type Kind, Site } from '../site.ts';
import { bestSellers, type FleetSaid, type FleetSettings, fastClock, keys, report } from './data.ts';

export interface FleetOptions {
  readonly schedulers: number;
  readonly days: number;
}

const dayMs = 86_400_000;
/** How long a day of the fleet is, in milliseconds of the machine. */
const realDayMs = 400;
/** How long nothing may come of what the fleet was kept from, when nothing disturbs it any more. */
const patienceMs = 60_000;
const timeZone = 'America/New_York';

/** Schedulers that share a store are killed and stopped at random, while readers read. Two clock changes are in 200 days from February. */
export function fleetOf(kind: Kind, { schedulers, days }: FleetOptions): Fault {
  return {
    name: `${kind}-fleet`,
    about: `${schedulers} schedulers are killed and stopped at random through ${days} days of ${realDayMs} ms: every tick launched or left out by its rule, one publish each, whole versions`,
    usualRuns: 1,
    async begin() {
      const site = await Site.start(kind);
      return {
        run: ({ random }) => runOf(site, { schedulers, days }, random),
        [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
      };
    },
  };
}

async function runOf(site: Site, { schedulers, days }: FleetOptions, random: Random): Promise<Finding> {
  await using place = await site.place();
  const startMs = Date.parse('2026-02-01T12:00:00Z');
  const time = { realStartMs: Date.now(), startMs, speed: dayMs / realDayMs };
  const clock = fastClock(time);
  const tally = new Tally();
  const published = new Map<number, Set<number>>();
  const { store, backend } = place;
  // Registers both, so that the first tick is known
  await using first = report(store, clock, { launches: false });
  await using plain = bestSellers(store, clock, { launches: false });
  await using shared = bestSellers(store, clock, { launches: false, snapshot: 'shared' });
  await Promise.all([first.pause(), plain.pause()]);
  await Promise.all([first.resume(), plain.resume()]);
  const ledgers = { best: new Ledger(store, 'best'), report: new Ledger(store, 'report') };
  const from = { best: await stateOf(ledgers.best), report: await stateOf(ledgers.report) };
  await Promise.all([plain.start(), shared.start()]);

  const fleet = Array.from(
    { length: schedulers },
    (_, index) =>
      new Member({ backend, time, snapshot: index % 2 === 0 ? 'plain' : 'shared' }, tally, published),
  );
  const over = new AbortController();
  const vault = new Vault(store, 'best');
  const watching = repeat(over.signal, 10, async () => {
    for (const { scheduledAt, version } of (await vault.pointer()).versions)
      note(published, scheduledAt, version);
  });
  const reading = repeat(over.signal, 2, async () => {
    for (const reader of [plain, shared]) {
      const { version, get } = reader.pin();
      if (version > 0) tally.read(keys.map(key => get(key).value));
    }
  });
  try {
    await disturb(
      fleet,
      seededRandom(Math.floor(random() * 2 ** 31)),
      () => clock.wallMs() < startMs + days * dayMs,
    );
    const until = Math.floor(startMs + days * dayMs);
    const expected = ticksBetween(
      cronSchedule('30 2 * * *', { timeZone }),
      from.best.watermark,
      until,
      10_000,
    );
    await eventually(async () => {
      const records = await ledgers.best.history();
      const done = new Set(records.filter(({ status }) => status !== 'running').map(run => run.scheduledAt));
      const open = expected.filter(tick => !done.has(tick));
      return open.length === 0 ? undefined : `${open.length} ticks of ${expected.length} are open`;
    });
    await first.pause(); // Else there is always a run
    await eventually(async () => {
      const { watermark, running, queue } = await stateOf(ledgers.report);
      if (watermark > until && running.length + queue.length === 0) return undefined;
      return `${running.length} runs of the report go on, ${queue.length} wait`;
    });
    const best = await ledgers.best.history();
    for (const tick of expected) {
      const records = best.filter(
        ({ scheduledAt, trigger }) => scheduledAt === tick && trigger === 'schedule',
      );
      tally.operations++;
      if (records.length !== 1 || records[0]!.status !== 'succeeded') tally.lost++;
      const versions = published.get(tick)?.size ?? 0;
      tally.expect(versions > 0, `no version of ${new Date(tick).toISOString()} was seen`);
    }
    for (const versions of published.values()) if (versions.size > 1) tally.duplicated++;
    const end = await stateOf(ledgers.report);
    const ticks = ticksBetween(
      cronSchedule('0 */12 * * *', { timeZone }),
      from.report.watermark,
      end.watermark,
      10_000,
    );
    const launched = (await ledgers.report.history()).length;
    // A tick may have come before the fleet, during the pause that registers the jobs
    const before = from.report.missed;
    const late = end.missed.late - before.late;
    const overlap = end.missed.overlap - before.overlap;
    const paused = end.missed.paused - before.paused;
    tally.operations += ticks.length;
    tally.lost += Math.max(0, ticks.length - launched - late - overlap - paused);
    tally.expect(
      launched + late + overlap + paused <= ticks.length,
      `${launched} runs, and ${late} late, ${overlap} overlapping, ${paused} paused, of ${ticks.length} ticks`,
    );
  } catch (error) {
    tally.expect(false, String(error));
  } finally {
    over.abort();
    await Promise.all([watching, reading, ...fleet.map(member => member.end())]);
  }
  return tally.finding({ badShare: (100 * (tally.torn + tally.missing)) / Math.max(1, tally.operations) });
}

/** A scheduler that comes back when it was killed. */
class Member {
  readonly #settings: FleetSettings;
  readonly #tally: Tally;
  readonly #published: Map<number, Set<number>>;
  #peer: Peer<FleetSaid> | undefined;
  #listening: Promise<void> = Promise.resolve();

  constructor(settings: FleetSettings, tally: Tally, published: Map<number, Set<number>>) {
    this.#settings = settings;
    this.#tally = tally;
    this.#published = published;
    this.#start();
  }

  #start(): void {
    const peer = new Peer<FleetSaid>(new URL('./process.ts', import.meta.url), this.#settings);
    this.#peer = peer;
    this.#listening = this.#listen(peer);
  }

  async #listen(peer: Peer<FleetSaid>): Promise<void> {
    for (;;) {
      const said = await peer.next().catch(() => undefined);
      if (said === undefined) return;
      if (said.what === 'published') note(this.#published, said.scheduledAt, said.version);
      if (said.what !== 'reads') continue;
      this.#tally.operations += said.operations;
      this.#tally.torn += said.torn;
      this.#tally.missing += said.missing;
    }
  }

  async kill(): Promise<void> {
    await this.end();
    this.#start();
  }

  async stop(ms: number): Promise<void> {
    const { process } = this.#peer!;
    process.kill('SIGSTOP');
    await delay(ms);
    process.kill('SIGCONT');
  }

  async end(): Promise<void> {
    await this.#peer?.end();
    await this.#listening;
  }
}

/** One after the other, so that somebody is left. */
async function disturb(fleet: readonly Member[], random: Random, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    await delay(300 + 1_500 * random());
    const member = fleet[Math.floor(random() * fleet.length)]!;
    if (random() < 0.5) await member.kill();
    else await member.stop(4_000 * random());
  }
}

function note(published: Map<number, Set<number>>, scheduledAt: number, version: number): void {
  published.set(scheduledAt, (published.get(scheduledAt) ?? new Set()).add(version));
}

async function stateOf(ledger: Ledger): Promise<JobState> {
  return (await ledger.state())!.value;
}

async function repeat(signal: AbortSignal, everyMs: number, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await work();
    await delay(everyMs);
  }
}

/** @param open what is still to come, if anything. However long it takes, something must come within the patience. */
async function eventually(open: () => Promise<string | undefined>): Promise<void> {
  let last: string | undefined;
  for (let endsAt = 0; ; await delay(100)) {
    const what = await open();
    if (what === undefined) return;
    if (what !== last) endsAt = Date.now() + patienceMs;
    if (Date.now() > endsAt) throw new Error(`${what}, and nothing came for ${patienceMs} ms`);
    last = what;
  }
}
