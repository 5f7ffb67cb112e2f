import { afterAll, beforeAll, expect } from 'vitest';

// Set up for each test file of those that share a process: one that leaves it other than it was fails, and not the next.
let before: ReturnType<typeof stateOfProcess>;

beforeAll(() => {
  before = stateOfProcess();
});

afterAll(() => {
  expect(stateOfProcess(), 'left behind for the test files after this one').toEqual(before);
});

function stateOfProcess() {
  const listeners = process.eventNames().map(name => `${process.listenerCount(name)} of ${String(name)}`);
  return {
    folder: process.cwd(),
    environment: { ...process.env },
    listeners: listeners.sort(),
    globals: Object.getOwnPropertyNames(globalThis).sort(),
    builtIn: [setTimeout, setInterval, setImmediate, queueMicrotask, Date, fetch],
  };
}
