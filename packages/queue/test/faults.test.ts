import { runFault } from '@workspace/faults';
import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { report, Tally } from '../faults/fault.ts';
import { faults } from '../faults/faults.ts';
import { Ledger } from '../faults/ledger.ts';

describeWith([{ own: 'redis' }], 'faults', () => {
  for (const fault of faults) {
    /** The long version: npm run faults -w @ashlar/queue */
    it(`${fault.name}: ${fault.about}`, { timeout: 120_000 }, async () => {
      const row = await runFault(fault, report, { runs: 1, seed: 7 });
      expect(row).toMatchObject({ runs: 1, lost: 0, unexpected: 0, remarks: [], ok: true });
      expect(row.operations).toBeGreaterThan(0);
    });
  }
});

it('the ledger counts what is lost, handled twice, and published by nobody', async () => {
  const ledger = new Ledger();
  for (const n of [1, 2, 3]) {
    ledger.tried(n);
    ledger.confirmed(n);
  }
  for (const n of [1, 2, 2, 9]) ledger.done(n);
  const tally = new Tally();
  await ledger.judge(tally, 10);
  expect(tally).toMatchObject({ operations: 3, lost: 1, duplicated: 1 });
  expect(tally.remarks).toEqual(['message 9 was handled, and nobody published it']);
});
