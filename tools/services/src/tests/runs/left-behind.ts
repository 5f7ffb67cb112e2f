import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';

const now = performance.now.bind(performance);
const longestMs = 10_000;

// Set up for each test file of those that share a process: one that leaves it other than it was fails, and not the next.
let before: ReturnType<typeof stateOfProcess>;

beforeAll(() => {
  before = stateOfProcess();
});

afterAll(async () => {
  // What is closed takes a moment until it is gone
  const until = now() + longestMs;
  while (resources().length > 0 && now() < until) await pause(10, undefined, { ref: false });
  expect(
    { ...stateOfProcess(), resources: resources() },
    'left behind for the test files after this one',
  ).toEqual({ ...before, resources: [] });
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

/** What keeps the process alive, its ways to vitest apart. */
function resources(): string[] {
  return process.getActiveResourcesInfo().filter(kind => !/^(?:Pipe|TTY|File)|^MessagePort$/.test(kind));
}
