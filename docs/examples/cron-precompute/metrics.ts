// #region program
import { subscribe } from 'node:diagnostics_channel';
import type { PrecomputeSnapshot, RunEndedMessage } from '@ashlar/cron-precompute';
import { Counter, Gauge, Registry } from 'prom-client';

const registry = new Registry();

/** Ages, versions and runs that go on, read from snapshots whenever Prometheus scrapes. */
function watch(dataSets: readonly { snapshot(): PrecomputeSnapshot }[]): void {
  const metric = (
    name: string,
    help: string,
    value: (snapshot: PrecomputeSnapshot) => number | undefined,
  ) => {
    const gauge = new Gauge({
      name,
      help,
      labelNames: ['name'],
      registers: [registry],
      collect: () => {
        gauge.reset();
        for (const snapshot of dataSets.map(each => each.snapshot())) {
          const now = value(snapshot);
          if (now !== undefined) gauge.set({ name: snapshot.name }, now);
        }
      },
    });
  };
  metric('precompute_version', 'The version that is served here, 0: none', ({ version }) => version);
  metric('precompute_entries', 'Keys in memory', ({ entries }) => entries);
  metric('precompute_age_seconds', 'How old the data are', ({ ageMs }) => ageMs && ageMs / 1_000);
  metric('precompute_fresh', '1 when they are fresh', ({ isFresh }) => Number(isFresh)); // alert on 0
  metric('precompute_running', 'Runs in this process', ({ job }) => job.running.length);
}

/** Each run is counted by the process in which it has ended, so the sum over all is right. */
const runs = new Counter({
  name: 'precompute_runs_total',
  help: 'Runs that have ended here',
  labelNames: ['name', 'status'],
  registers: [registry],
});
subscribe('ashlar:cron-precompute:run-ended', message => {
  const { job, record } = message as RunEndedMessage;
  if (record !== undefined) runs.inc({ name: job, status: record.status });
});

// #endregion program

import { Precompute } from '@ashlar/cron-precompute';
import { memoryStore } from '@ashlar/store';

const store = memoryStore();
let rows: [string, number][] = [['books', 120]];
const best = new Precompute<string, number>({
  name: 'best',
  schedule: '0 3 * * *',
  store,
  source: async function* () {
    yield* rows;
  },
});
watch([best]);
await best.start();
await best.refresh();
rows = [];
await best.refresh();
const text = await registry.metrics();
console.log(text.includes('precompute_version{name="best"} 1\n')); // true
console.log(text.includes('precompute_entries{name="best"} 1\n')); // true
console.log(text.includes('precompute_fresh{name="best"} 1\n')); // true
console.log(text.includes('precompute_runs_total{name="best",status="succeeded"} 1\n')); // true
console.log(text.includes('precompute_runs_total{name="best",status="rejected"} 1\n')); // true
await best.close();
await store.close();
