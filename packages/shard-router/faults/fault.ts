import * as shared from '@workspace/faults';

/** Acknowledged writes that are gone, that took effect twice, and rows that two databases let be written. */
type Count = 'lost' | 'duplicated' | 'twoPlaces' | 'stale';
/** The longest that a write of a moved row took, and from the fault to the end of the move. */
type Measure = 'pauseMs' | 'recoveryMs';

export type Finding = shared.Finding<Count, Measure>;
export type Fault = shared.Fault<Count, Measure>;

export const report: shared.Report<Count, Measure> = {
  counts: ['lost', 'duplicated', 'twoPlaces', 'stale'],
  measures: {
    pauseMs: { title: 'write pause', unit: 'ms' },
    recoveryMs: { title: 'recovery', unit: 'ms' },
  },
};

/** Counts what a run shows. */
export class Tally extends shared.Tally {
  lost = 0;
  duplicated = 0;
  twoPlaces = 0;
  stale = 0;

  finding(times: Pick<Finding, Measure> = {}): Finding {
    const { lost, duplicated, twoPlaces, stale } = this;
    return { ...this.observations, lost, duplicated, twoPlaces, stale, ...times };
  }
}
