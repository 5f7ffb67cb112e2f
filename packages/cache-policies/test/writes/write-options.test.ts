import { maxTtlMs, memoryStore } from '@ashlar/store';
import { describe, expect, it } from 'vitest';
import { cacheAside, writeBehind, writeThrough } from '../../src/index.ts';
import { InvalidOptionErrorOf } from '../support/faces.ts';

const write = async () => {};
const store = memoryStore();

describe.each([
  ['cacheAside', cacheAside],
  ['writeThrough', writeThrough],
  ['writeBehind', writeBehind],
])('%s refuses', (name, strategy) => {
  it.each([
    [undefined, `${name} takes an object of options, got undefined`],
    [null, `${name} takes an object of options, got null`],
    [write, `${name} takes an object of options, got a function`],
    [{}, '`write` is required'],
    [{ write: 5 }, '`write` must be a function, got 5 (number)'],
    [{ write: null }, '`write` must be a function, got null'],
    [{ write, writes: write }, `${name} has no option \`writes\`; did you mean \`write\`?`],
  ])('%j', (options, message) => {
    expect(() => strategy(options as never)).toThrow(InvalidOptionErrorOf(message));
  });
});

describe('writeBehind refuses', () => {
  it.each([
    [{ maxPending: 0 }, '`maxPending` must be an integer of at least 1, got 0 (number)'],
    [{ maxPending: '5' }, '`maxPending` must be an integer of at least 1, got "5"'],
    [{ maxBatch: null }, '`maxBatch` must be an integer of at least 1, got null'],
    [{ whenFull: 'drop' }, '`whenFull` must be "wait" or "reject", got "drop"'],
    [{ maxDelayMs: -1 }, '`maxDelayMs` must be a number of milliseconds of at least 0, got -1 (number)'],
    [{ backoffMs: 0 }, '`backoffMs` must be a number of milliseconds above 0, got 0 (number)'],
    [{ maxBackoffMs: Infinity }, '`maxBackoffMs` must be a number of milliseconds above 0, got Infinity'],
    [{ closeTimeoutMs: true }, '`closeTimeoutMs` must be a number of milliseconds of at least 0, got true'],
    [{ delayMs: 5 }, 'writeBehind has no option `delayMs`; it takes write, maxPending,'],
    [{ journal: store }, '`journal` takes an object of options, got a LocalStore; it takes store'],
    [{ journal: 'journal:' }, '`journal` takes an object of options, got "journal:"'],
    [{ journal: null }, '`journal` takes an object of options, got null'],
    [{ journal: { prefix: 'x' } }, '`journal.store` is required'],
    [
      { journal: { store: 'redis://localhost', prefix: 'x' } },
      '`journal.store` must be an object with get(), set(), delete(), list(), claim(), release(), got "redis://localhost"; write `store: memoryStore()`',
    ],
    [{ journal: { store } }, '`journal.prefix` is required'],
    [{ journal: { store, prefix: '' } }, '`journal.prefix` must be a string that is not empty, got ""'],
    [{ journal: { store, prefix: 'x', lease: 5 } }, '`journal` has no option `lease`'],
    [
      { journal: { store, prefix: 'x', leaseMs: maxTtlMs + 1 } },
      `\`journal.leaseMs\` must be a number of milliseconds of at least 100 and at most ${maxTtlMs}`,
    ],
    [{ journal: { store, prefix: 'x', waitMs: '1s' } }, '`journal.waitMs` must be a number of milliseconds'],
  ])('%j', (options, message) => {
    expect(() => writeBehind({ write, ...(options as object) })).toThrow(InvalidOptionErrorOf(message));
  });
});
