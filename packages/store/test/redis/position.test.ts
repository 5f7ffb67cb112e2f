import { expect, it } from 'vitest';
import { Position } from '../../src/adapters/redis/position.ts';

const none = new Position(null, null);
const at = (id: string) => Position.of(id);

it('knows what follows without a gap', () => {
  expect(none.id).toBe('0-0');
  expect(at('17-4').id).toBe('17-4');
  for (const [before, after, isNext] of [
    [at('17-4'), at('17-5'), true],
    [at('17-4'), at('17-6'), false],
    [at('17-4'), at('18-1'), false],
    [at('17-4'), at('16-5'), false],
    [none, at('17-1'), true],
    [none, at('17-2'), false],
  ] as const) {
    expect(before.isBefore(after)).toBe(true);
    expect(before.isFollowedBy(after)).toBe(isNext);
  }
  expect(at('17-4').isBefore(at('17-4'))).toBe(false);
  expect(at('17-4').isBefore(at('17-3'))).toBe(false);
});

it('knows a log that is no longer the one it was', () => {
  expect(at('17-4').contradicts(at('17-4'))).toBe(false);
  expect(at('17-9').contradicts(at('17-4'))).toBe(false);
  expect(at('17-3').contradicts(at('17-4'))).toBe(true);
  expect(at('18-9').contradicts(at('17-4'))).toBe(true);
  expect(none.contradicts(at('17-4'))).toBe(true);
  expect(at('17-4').contradicts(none)).toBe(false);
});
