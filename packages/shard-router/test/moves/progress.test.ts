import { expect, it } from 'vitest';
import { eventText } from '../../src/cli/lines.ts';
import type { MoveEvent } from '../../src/moves/events.ts';
import { Progress } from '../../src/moves/running/progress.ts';

it('a run says how many rows there are, at which rate, how long it takes, and how far the target is behind; so does the terminal', async () => {
  let now = 0;
  const progress = new Progress('shards', 'a move', { now: () => now, sleep: () => Promise.resolve() });
  const told: MoveEvent[] = [];
  const reading = (async () => {
    for await (const event of progress.events()) told.push(event);
  })();
  const tell = async (say: () => void) => {
    say();
    await new Promise(resolve => setImmediate(resolve));
  };
  await tell(() => progress.step('copy'));
  await tell(() => progress.copied({ rows: 100, ofRows: 1_000 }));
  now = 10_000;
  await tell(() => progress.copied({ rows: 600, ofRows: 1_000 }));
  // Of the next table
  await tell(() => progress.copied({ rows: 10, ofRows: 50 }));
  await tell(() => progress.step('catchUp'));
  await tell(() => progress.tell({ lagMs: 11.6, retainedBytes: 100 }));
  progress.end();
  await reading;
  expect(told[2]).toEqual({
    move: 'a move',
    step: 'copy',
    rows: 600,
    ofRows: 1_000,
    rowsPerSecond: 50,
    etaMs: 8_000,
  });
  expect(told.map(eventText)).toEqual([
    'copy',
    'copy: 100 of 1000 rows',
    'copy: 600 of 1000 rows, 50 a second, 8 s left',
    'copy: 10 of 50 rows',
    'catchUp',
    'catchUp: 12 ms behind',
  ]);
});
