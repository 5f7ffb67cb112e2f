import * as shared from '@workspace/faults';

/**
 * Ticks that neither ran nor were left out by their rule; ticks that published twice; reads that saw parts of two versions; reads that
 * found no value where the version has one.
 */
type Count = 'lost' | 'duplicated' | 'torn' | 'missing';
/**
 * The share of reads that were torn or missing; the 99th percentile of the foreground without a job, and with one in percent of
 * that; how long the job behind the gate took.
 */
type Measure = 'badShare' | 'aloneP99' | 'gatedP99' | 'ungatedP99' | 'jobMs';

export type Finding = shared.Finding<Count, Measure>;
export type Fault = shared.Fault<Count, Measure>;

export const report: shared.Report<Count, Measure> = {
  counts: ['lost', 'duplicated', 'torn', 'missing'],
  measures: {
    badShare: { title: 'bad reads', unit: '%' },
    aloneP99: { title: 'p99, alone', unit: 'ms' },
    gatedP99: { title: 'p99, gate', unit: '% of alone' },
    ungatedP99: { title: 'p99, no gate', unit: '% of alone' },
    jobMs: { title: 'job, gate', unit: 'ms' },
  },
};

/** Counts what a run shows. */
export class Tally extends shared.Tally {
  lost = 0;
  duplicated = 0;
  torn = 0;
  missing = 0;

  finding(measures: Pick<Finding, Measure> = {}): Finding {
    const { lost, duplicated, torn, missing } = this;
    return { ...this.observations, lost, duplicated, torn, missing, ...measures };
  }

  /** What one read of all keys saw. */
  read(values: readonly (string | undefined)[]): void {
    this.operations++;
    if (values.includes(undefined)) this.missing++;
    else if (new Set(values).size > 1) this.torn++;
  }
}
