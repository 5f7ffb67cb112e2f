import { runFault } from '@workspace/faults';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Fault, report } from '../../faults/fault.ts';
import { faultsOf } from '../../faults/faults.ts';
import { type KindName, shortLeaseMs } from '../../faults/kinds.ts';
import { Site } from '../../faults/site.ts';
import { describeKind } from '../support/describe-kind.ts';

/** So many faults of each of these kinds, on one server. All of them on all kinds take minutes: npm run faults -w @ashlar/queue */
export function testFaultsOf(names: readonly KindName[], most: number): void {
  for (const kind of names) {
    describeKind(kind, `faults of ${kind}`, () => {
      let site: Site;
      beforeAll(async () => {
        site = await Site.start(kind, shortLeaseMs);
      });
      afterAll(() => site?.[Symbol.asyncDispose]());
      const sites = { kind, open: async () => site, close: async () => {} };
      for (const fault of faultsOf(sites).slice(0, most)) testFault(fault);
    });
  }
}

export function testFault(fault: Fault): void {
  it(`${fault.name}: ${fault.about}`, { timeout: 120_000 }, async () => {
    const row = await runFault(fault, report, { runs: 1, seed: 7 });
    expect(row).toMatchObject({ runs: 1, lost: 0, unexpected: 0, remarks: [], ok: true });
    expect(row.operations).toBeGreaterThan(0);
  });
}
