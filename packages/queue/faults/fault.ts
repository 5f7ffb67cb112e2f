import * as shared from '@workspace/faults';

/** Messages that were confirmed and never handled; messages that were handled more than once. */
type Count = 'lost' | 'duplicated';
/**
 * From the death of a consumer to the first of its messages in other hands; from the moment that the server was there again
 * to the first message that was handled.
 */
type Measure = 'noticedMs' | 'outageMs';

export type Finding = shared.Finding<Count, Measure>;
export type Fault = shared.Fault<Count, Measure>;
export type Round = shared.Round;

export const report: shared.Report<Count, Measure> = {
  counts: ['lost', 'duplicated'],
  measures: { noticedMs: { title: 'noticed', unit: 'ms' }, outageMs: { title: 'resumed', unit: 'ms' } },
};

export class Tally extends shared.Tally {
  lost = 0;
  duplicated = 0;

  finding(times: Pick<Finding, Measure> = {}): Finding {
    const { lost, duplicated } = this;
    return { ...this.observations, lost, duplicated, ...times };
  }
}
