import { describe, expect, it } from 'vitest';
import { evictionConformance, tierConformance } from '../../src/conformance.ts';
import { lru } from '../../src/index.ts';
import { InvalidOptionErrorOf } from '../support/faces.ts';
import { manualTier } from '../support/tiers.ts';

const runner = { describe: () => {}, it: Object.assign(() => {}, { skip: () => {} }) };
const makeTier = async () => manualTier();

describe.each([
  ['evictionConformance', evictionConformance, lru],
  ['tierConformance', tierConformance, makeTier],
] as [string, (...given: never[]) => void, unknown][])('%s refuses', (name, suite, subject) => {
  it.each([
    [runner, subject, undefined, `${name} takes an object of options, got undefined`],
    [runner, subject, 'lru', `${name} takes an object of options, got "lru"`],
    [runner, subject, {}, '`name` is required'],
    [runner, subject, { name: 5 }, '`name` must be a string that is not empty, got 5 (number)'],
    [runner, subject, { name: 'x', skips: [] }, `${name} has no option \`skips\`; did you mean \`skip\`?`],
    [runner, subject, { name: 'x', skip: 'a test' }, '`skip` must be an array, got "a test"'],
    [runner, subject, { name: 'x', skip: ['a test'] }, '`skip[0]` takes an object of options, got "a test"'],
    [runner, subject, { name: 'x', skip: [{ test: 'a' }] }, '`skip[0].reason` is required'],
    [undefined, subject, { name: 'x' }, '`runner` is required: write `{ describe, it }`'],
    [{ it: () => {} }, subject, { name: 'x' }, '`runner` must be an object with describe(), it()'],
    [runner, null, { name: 'x' }, 'must be a function, got null'],
    [runner, 'lru', { name: 'x' }, 'must be a function, got "lru"'],
  ])('%#', (...given) => {
    const message = given.pop() as string;
    expect(() => suite(...(given as unknown as never[]))).toThrow(InvalidOptionErrorOf(message));
  });
});

it('tierConformance refuses features that it does not know', () => {
  const features = { empty: true } as never;
  expect(() => tierConformance(runner, makeTier, { name: 'x', features })).toThrow(
    InvalidOptionErrorOf('`features` has no option `empty`; it takes empties, breaks, loses'),
  );
});
