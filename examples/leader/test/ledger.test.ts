import { expect, it } from 'vitest';
import { Ledger } from '../src/election/ledger.ts';
import { reportOf } from '../src/output/report.ts';

/** Writes as [process, token, count], in the order in which they become known. */
function after(...writes: readonly (readonly [number, bigint, number])[]): Ledger {
  const ledger = new Ledger();
  for (const [contender, token, count] of writes) ledger.record(contender, { type: 'wrote', token, count });
  return ledger;
}

it('knows terms by their tokens, also when news of a write comes late', () => {
  const ledger = after([1, 5n, 1], [2, 7n, 3], [1, 5n, 2], [2, 7n, 4]);
  expect(ledger.wentBack).toBe(0);
  expect(ledger.terms.map(({ first, last }) => [first, last])).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

it.each([
  ['repeats a count', after([1, 5n, 1], [1, 5n, 1])],
  ['begins no higher than the term before ended', after([1, 5n, 1], [1, 5n, 2], [2, 7n, 2])],
  ['goes on after a later term began', after([1, 5n, 1], [2, 7n, 2], [1, 5n, 3])],
])('notices a write that %s', (_, ledger) => {
  expect(ledger.wentBack).toBe(1);
  expect(reportOf(ledger, { backend: 'memory', ttlMs: 1, counter: 3 }, undefined).ok).toBe(false);
});

it('notices a counter that is lower than it was', () => {
  const ledger = after([1, 5n, 1], [1, 5n, 2]);
  ledger.recordRead(3, ledger.highest);
  expect(ledger.wentBack).toBe(0);
  ledger.recordRead(2, ledger.highest);
  expect(ledger.wentBack).toBe(1);
});

it('is content only when just the takeovers that were caused happened, and one write was refused', () => {
  const facts = { backend: 'memory', ttlMs: 1, counter: 2 } as const;
  const ledger = after([1, 5n, 1]);
  ledger.record(1, { type: 'stopped' });
  ledger.record(2, { type: 'wrote', token: 6n, count: 2 });
  expect(reportOf(ledger, facts, 1).ok).toBe(false);
  ledger.record(1, { type: 'refused', token: 5n, seen: 6n });
  expect(reportOf(ledger, facts, 1)).toMatchObject({ ok: true, takeovers: [{ cause: 'stopped' }] });
  expect(reportOf(ledger, facts, 2).ok).toBe(false);
  ledger.record(3, { type: 'wrote', token: 7n, count: 3 });
  expect(reportOf(ledger, facts, 2)).toMatchObject({ ok: false, takeovers: [{}, { cause: 'lost' }] });
});
