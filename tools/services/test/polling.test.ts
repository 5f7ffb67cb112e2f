import { expect, it } from 'vitest';
import { eventually, within } from '../src/polling.ts';

it('looks until there is something, or it takes too long', async () => {
  let looks = 0;
  expect(await within(5_000, () => (++looks === 3 ? 'third' : undefined))).toBe('third');
  expect(await within(0, () => undefined)).toBeUndefined();
});

it('attempts until one succeeds, and rejects as the last attempt did', async () => {
  let attempts = 0;
  const third = async () => {
    if (++attempts < 3) throw new Error(`attempt ${attempts}`);
    return attempts;
  };
  expect(await eventually(third, { withinMs: 5_000 })).toBe(3);
  attempts = -10;
  await expect(eventually(third, { withinMs: 0 })).rejects.toThrow('attempt -9');
  await expect(eventually(third, { withinMs: 60_000, giveUp: Promise.resolve() })).rejects.toThrow(
    /^attempt/,
  );
});
