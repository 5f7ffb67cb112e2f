import { onTestFinished } from 'vitest';
import { Job, type JobOptions, type RunContext } from '../../src/index.ts';
import { ending, type Machine, type site } from './site.ts';

export interface Prepared {
  readonly job: Job;
  readonly machine: Machine;
  readonly runs: RunContext[];
  /** Of the ticks of the runs, in their order. */
  minutes(): number[];
}

/** A job of a machine of its own, whose runs are noted. */
export function jobOf(
  place: ReturnType<typeof site>,
  work: (run: RunContext) => unknown = () => {},
  options: Partial<JobOptions> = {},
): Prepared {
  const machine = place.machine();
  const runs: RunContext[] = [];
  const job = ending(
    new Job({
      name: 'report',
      schedule: '* * * * *',
      store: machine.store,
      clock: place.clock,
      leaseMs: 10_000,
      work: run => {
        runs.push(run);
        return work(run);
      },
      ...options,
    }),
  );
  onTestFinished(() => machine.bury()); // Before the job closes
  const minutes = () => runs.map(run => place.clock.minute(run.scheduledAt));
  return { job, machine, runs, minutes };
}
