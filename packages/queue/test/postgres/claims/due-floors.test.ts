import { expect, it } from 'vitest';
import { DueFloors } from '../../../src/adapters/postgres/claiming/due-floors.ts';

const all = '-infinity';
const at = (second: number) => new Date(Date.UTC(2026, 10, 29, 2, 0, second)).toISOString();

/** What a look answers that has found nothing. */
const look = (second: number, number: number) => ({
  ...{ due: at(second), leases: at(second), expiring: at(second), looked: at(second) },
  ...{ xmin: String(number), mark: String(number), writers: null },
});

it('a look begins at what the one before has found, and everywhere after the clock was set back', () => {
  const floors = new DueFloors();
  expect(floors.next(0)).toEqual([all, all, all, all]);
  floors.learn(look(10, 1));
  expect(floors.next(1)).toEqual([at(10), at(10), at(10), all]);
  floors.learn(look(11, 2));
  expect(floors.next(2)).toEqual([at(11), at(11), at(11), at(10)]);
  floors.learn(look(5, 3));
  expect(floors.next(3)).toEqual([all, all, all, all]);
  floors.learn(look(6, 4));
  expect(floors.next(4)).toEqual([at(6), at(6), at(6), all]);
});
