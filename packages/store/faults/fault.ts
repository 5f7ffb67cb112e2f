import * as shared from '@workspace/faults';

/** Acknowledged writes that are gone or were undone; rights that two had at one moment, and writes that took effect twice. */
type Count = 'lost' | 'duplicated';
/**
 * From the fault to the first call or watch that told of it; from the moment that the server was there again to the
 * first operation that it acknowledged.
 */
type Measure = 'noticedMs' | 'outageMs';

export type Finding = shared.Finding<Count, Measure>;
export type Fault = shared.Fault<Count, Measure>;

export const report: shared.Report<Count, Measure> = {
  counts: ['lost', 'duplicated'],
  measures: { noticedMs: { title: 'noticed', unit: 'ms' }, outageMs: { title: 'resumed', unit: 'ms' } },
};

/** Counts what a run shows. */
export class Tally extends shared.Tally {
  lost = 0;
  duplicated = 0;

  finding(times: Pick<Finding, Measure> = {}): Finding {
    const { lost, duplicated } = this;
    return { ...this.observations, lost, duplicated, ...times };
  }
}
