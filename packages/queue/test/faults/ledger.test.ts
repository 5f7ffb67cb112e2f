import { expect, it } from 'vitest';
import { Tally } from '../../faults/fault.ts';
import { Ledger } from '../../faults/ledger.ts';

it('the ledger counts what is lost, handled twice, recovered, and published by nobody', async () => {
  const ledger = new Ledger();
  for (const n of [1, 2, 3]) {
    ledger.tried(n);
    ledger.confirmed(n);
  }
  for (const n of [4, 5]) ledger.tried(n);
  for (const n of [1, 2, 2, 4, 9]) ledger.done(n);
  const tally = new Tally();
  await ledger.judge(tally, 10);
  expect(tally).toMatchObject({ operations: 3, lost: 1, duplicated: 1, recovered: 1 });
  expect(tally.remarks).toEqual(['message 9 was handled, and nobody published it']);
});
