import { expect, it } from 'vitest';
import { Horizon } from '../../src/transactions/horizon.ts';

/** What a look of a number answers while the transactions from `xmin` are open, if it was asked with these that have written. */
const look = (xmin: number, mark: number, writers?: readonly string[]) => ({
  ...{ xmin: String(xmin), mark: String(mark) },
  writers: writers === undefined ? null : JSON.stringify(writers),
});

it('what was seen is safe when all transactions of its time are over, also for the look that says so', () => {
  const horizon = new Horizon(0);
  expect(horizon.learn(look(5, 9), 10, 0)).toBe(0);
  expect(horizon.learn(look(8, 12), 20, 250)).toBe(0);
  expect(horizon.learn(look(9, 15), 30, 500)).toBe(10);
  expect(horizon.safe).toBe(10);
  expect(horizon.learn(look(15, 16), 40, 750)).toBe(30);
  expect(horizon.learn({ ...look(17, 0), mark: null }, 50, 1_000)).toBe(40);
  expect(horizon.learn({ ...look(18, 0), mark: null }, 60, 1_250)).toBe(40);
  expect(horizon.asks).toBe(false);
});

it('a transaction that has written elsewhere is not waited for, one that has written here is', () => {
  const horizon = new Horizon(0);
  horizon.learn(look(5, 9), 10, 0);
  horizon.learn(look(5, 12), 20, 999);
  expect(horizon.asks).toBe(false);
  horizon.learn(look(5, 12), 20, 1_000);
  expect(horizon.asks).toBe(true);
  horizon.learn(look(5, 14, ['3/7', '4/1']), 30, 1_250);
  expect(horizon.learn(look(5, 14, ['3/7']), 40, 1_500)).toBe(0);
  expect(horizon.safe).toBe(0);
  // Not for what the look has found, which may be from before the end of 3/7
  expect(horizon.learn(look(5, 16, ['5/1']), 50, 1_750)).toBe(0);
  expect(horizon.safe).toBe(30);
  expect(horizon.learn(look(5, 16, []), 60, 2_000)).toBe(30);
  expect(horizon.safe).toBe(50);
  expect(horizon.asks).toBe(true);
  expect(horizon.learn(look(20, 20, []), 70, 2_250)).toBe(60);
  expect(horizon.asks).toBe(false);
});

it('a transaction that is prepared for a two-phase commit is waited for under whatever name', () => {
  const horizon = new Horizon(0);
  horizon.learn(look(5, 9), 10, 0);
  horizon.learn(look(5, 9), 10, 1_000);
  horizon.learn(look(5, 9, ['3/7']), 20, 1_250);
  horizon.learn(look(5, 9, ['-1/6']), 30, 1_500);
  expect(horizon.safe).toBe(0);
  horizon.learn(look(5, 9, []), 40, 1_750);
  expect(horizon.safe).toBe(20);
});
