import * as shared from '@workspace/faults';

/** Acknowledged writes that are gone, writes that took effect twice, and changes of the primary that nobody needed. */
type Count = 'lost' | 'duplicated' | 'needless';
/** From the fault to the first write that was begun after it and acknowledged, by the slowest process. */
type Measure = 'outageMs';

export type Finding = shared.Finding<Count, Measure>;
export type Fault = shared.Fault<Count, Measure>;

export const report: shared.Report<Count, Measure> = {
  counts: ['lost', 'duplicated', 'needless'],
  measures: { outageMs: { title: 'no writes', unit: 'ms' } },
};

/** Counts what a run shows. */
export class Tally extends shared.Tally {
  lost = 0;
  duplicated = 0;
  needless = 0;

  /** Adds what was done to the first remark, where there is something to explain. */
  explain(what: string): void {
    if (this.lost + this.duplicated > 0) this.remarks.push(`${this.lost} lost, ${this.duplicated} twice`);
    if (this.remarks.length > 0) this.remarks[0] += ` (${what})`;
  }

  finding(times: Pick<Finding, Measure> = {}): Finding {
    const { lost, duplicated, needless } = this;
    return { ...this.observations, lost, duplicated, needless, ...times };
  }
}
