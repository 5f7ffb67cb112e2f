import * as shared from '@workspace/faults';

/**
 * Messages that were confirmed and never handled; messages that were handled more than once; messages that were handled though
 * nobody was told that they are published.
 */
type Count = 'lost' | 'duplicated' | 'recovered';
/**
 * From the death of a consumer to the first of its messages in other hands; from the moment that the server was there again
 * to the first message that was handled.
 */
type Measure = 'noticedMs' | 'outageMs';

export type Finding = shared.Finding<Count, Measure>;
export type Fault = shared.Fault<Count, Measure>;
export type Round = shared.Round;

export const report: shared.Report<Count, Measure> = {
  counts: ['lost', 'duplicated', 'recovered'],
  measures: { noticedMs: { title: 'noticed', unit: 'ms' }, outageMs: { title: 'resumed', unit: 'ms' } },
};

export class Tally extends shared.Tally {
  lost = 0;
  duplicated = 0;
  recovered = 0;

  finding(times: Pick<Finding, Measure> = {}): Finding {
    const { lost, duplicated, recovered } = this;
    return { ...this.observations, lost, duplicated, recovered, ...times };
  }
}
