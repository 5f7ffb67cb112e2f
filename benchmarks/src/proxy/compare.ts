import { median } from '@workspace/bench';
import { cpuTimeMs } from '@workspace/services';
import { Loader } from './loader.ts';
import type { Load } from './loads.ts';
import { type Subject, startBackends, starters } from './subjects.ts';

export interface Settings {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly backends: number;
  readonly loads: readonly Load[];
}

/** What one subject did with one load: medians over the rounds. */
export interface Figures {
  readonly cpuMicros: number;
  readonly perSecond: number;
  readonly p99Ms: number;
}

export interface Comparison {
  readonly load: Load;
  readonly backends: number;
  /** Ours first. */
  readonly figures: ReadonlyMap<string, Figures>;
}

const ours = '@ashlar/lb reverseProxy';

/** Puts each load through each subject in turns; a first round, not counted, warms up. */
export async function compare(settings: Settings): Promise<Comparison[]> {
  const { rounds, seconds, loads } = settings;
  const backends = await startBackends(settings.backends);
  const subjects: Subject[] = [];
  const loader = new Loader();
  try {
    for (const start of Object.values(starters)) subjects.push(await start(backends.urls));
    // Ours once more: what differs between the two is noise
    const again = await starters[ours]!(backends.urls);
    subjects.push({ ...again, name: `${ours} again (noise floor)` });
    const turns = new Map(loads.map(load => [load, new Map<Subject, Figures[]>()]));
    for (let round = 0; round <= rounds; round++) {
      for (const load of loads) {
        for (let i = 0; i < subjects.length; i++) {
          const subject = subjects[(i + round) % subjects.length]!;
          const turn = await takeTurn(loader, subject, load, {
            ...settings,
            seconds: round === 0 ? 1 : seconds,
          });
          if (round === 0) turns.get(load)!.set(subject, []);
          else turns.get(load)!.get(subject)!.push(turn);
        }
      }
      process.stderr.write(`${settings.backends} backends: round ${round} of ${rounds}\n`);
    }
    return loads.map(load => ({
      load,
      backends: settings.backends,
      figures: new Map(subjects.map(subject => [subject.name, medians(turns.get(load)!.get(subject)!)])),
    }));
  } finally {
    await Promise.allSettled([loader.stop(), ...subjects.map(subject => subject.stop()), backends.stop()]);
  }
}

async function takeTurn(
  loader: Loader,
  subject: Subject,
  { path, method, bodyBytes }: Load,
  { seconds, connections }: Settings,
): Promise<Figures> {
  const before = cpuTimeMs(subject.pid);
  const message = { url: subject.url + path, method, bodyBytes, seconds, connections };
  const result = await loader.put(message);
  const cpuMs = cpuTimeMs(subject.pid) - before;
  return {
    cpuMicros: (cpuMs * 1000) / result.requests,
    perSecond: result.requests / result.seconds,
    p99Ms: result.p99Ms,
  };
}

function medians(turns: readonly Figures[]): Figures {
  const of = (what: keyof Figures) => median(turns.map(turn => turn[what]));
  return { cpuMicros: of('cpuMicros'), perSecond: of('perSecond'), p99Ms: of('p99Ms') };
}
