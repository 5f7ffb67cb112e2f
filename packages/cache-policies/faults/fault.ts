import * as shared from '@workspace/faults';

/**
 * `stale`: reads that began more than the bound after a newer write had resolved, and answered with the older value.
 * `restored`: times that the shared tier itself had a value older than a write that had resolved.
 */
type Count = 'stale' | 'restored';
type Measure = 'stalenessMs' | 'hitShare' | 'recoveryMs' | 'rejected' | 'quietest';

export type Finding = shared.Finding<Count, Measure>;
export type Fault = shared.Fault<Count, Measure>;

export const report: shared.Report<Count, Measure> = {
  counts: ['stale', 'restored'],
  measures: {
    stalenessMs: { title: 'staleness', unit: 'ms' },
    hitShare: { title: 'hits meanwhile', unit: '%', worst: 'min' },
    recoveryMs: { title: 'recovered', unit: 'ms' },
    rejected: { title: 'writes rejected', unit: '' },
    quietest: { title: 'operations of the quietest', unit: '', worst: 'min' },
  },
};

/** Counts what a run shows. */
export class Tally extends shared.Tally {
  stale = 0;
  restored = 0;

  finding(measures: Pick<Finding, Measure> = {}): Finding {
    const { stale, restored } = this;
    return { ...this.observations, stale, restored, ...measures };
  }
}
