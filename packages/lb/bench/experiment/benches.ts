import type { Bench, Row } from '@workspace/bench';
import { Backends } from './backends.ts';
import { experiment, type Figures, type Plan } from './experiment.ts';
import { alone, peers, type SubjectFactory, withoutRetry, withRetry } from './subjects.ts';

type Subjects = Readonly<Record<string, SubjectFactory>>;
type Metric = readonly [unit: string, of: (figures: Figures) => number];

const metrics = {
  failures: ['failures', ({ failed }) => failed],
  slow: ['over 500 ms', ({ latencies }) => latencies.filter(ms => ms > 500).length],
  p99: ['p99 ms', ({ latencies }) => latencies[Math.ceil(latencies.length * 0.99) - 1]!],
} as const satisfies Record<string, Metric>;

type MetricName = keyof typeof metrics;

interface Scenario extends Plan {
  /** So many subjects share the servers at a time; the more, the more they disturb each other. */
  readonly atOnce: number;
  readonly subjects: Subjects;
}

/** A bench for each metric; the experiment is made once for all of them. */
function scenario(name: string, about: Scenario, shown: readonly MetricName[]): Bench[] {
  let results: Promise<[string, Figures][]> | undefined;
  return shown.map(metric => ({
    name: `${name}: ${metric}`,
    async run() {
      results ??= all(about);
      return rows(`${name}: ${metric}`, metrics[metric], await results);
    },
  }));
}

async function all({ subjects, atOnce, ...plan }: Scenario): Promise<[string, Figures][]> {
  await using backends = await Backends.start(8);
  const results: [string, Figures][] = [];
  const entries = Object.entries(subjects);
  for (let i = 0; i < entries.length; i += atOnce) {
    const some = Object.fromEntries(entries.slice(i, i + atOnce));
    results.push(...Object.entries(await experiment(plan, some, backends)));
  }
  return results;
}

/** The first is the subject, the others its peers. */
function rows(bench: string, [unit, of]: Metric, results: readonly [string, Figures][]): Row[] {
  const [[subject, ours], ...others] = results as [[string, Figures], ...[string, Figures][]];
  const value = rounded(of(ours));
  return others.map(([peer, figures]) => {
    const peerValue = rounded(of(figures));
    return {
      bench,
      subject,
      peer,
      unit,
      value,
      peerValue,
      ratio: peerValue === value ? 1 : rounded(peerValue / value),
    };
  });
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

const usual = { perSecond: 200, requests: 5_000, warmUpMs: 2_000, atOnce: 4 };
const busy = { perSecond: 2_000, requests: 10_000, warmUpMs: 1_000, atOnce: 1 };
const compared = { ...withoutRetry, ...peers };

export const experiments: readonly Bench[] = [
  scenario('one slow of eight, 200/s', { ...usual, fault: 'slow', subjects: compared }, ['slow', 'p99']),
  scenario('one slow of eight, 2000/s', { ...busy, fault: 'slow', subjects: compared }, ['slow', 'p99']),
  scenario('one failing of eight, 200/s', { ...usual, fault: 'failing', subjects: compared }, [
    'failures',
    'p99',
  ]),
  scenario('one failing of eight, 2000/s', { ...busy, fault: 'failing', subjects: compared }, [
    'failures',
    'p99',
  ]),
  scenario('one failing of eight, 200/s, with retries', { ...usual, fault: 'failing', subjects: withRetry }, [
    'failures',
  ]),
  scenario('one failing of eight, 2000/s, with retries', { ...busy, fault: 'failing', subjects: withRetry }, [
    'failures',
  ]),
  scenario('one slow of eight, 200/s, without ejection', { ...usual, fault: 'slow', subjects: alone }, [
    'slow',
  ]),
  scenario('one failing of eight, 200/s, without ejection', { ...usual, fault: 'failing', subjects: alone }, [
    'failures',
  ]),
].flat();
