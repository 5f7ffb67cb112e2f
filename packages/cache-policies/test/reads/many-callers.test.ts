import { getEventListeners } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { memoryTier } from '../../src/index.ts';
import { ManualSource, manualCache, settle } from '../support/caches.ts';

function warnings(): Error[] {
  const seen: Error[] = [];
  const listener = (warning: Error) => seen.push(warning);
  process.on('warning', listener);
  onTestFinished(() => void process.off('warning', listener));
  return seen;
}

const keys = Array.from({ length: 50 }, (_, i) => `key ${i}`);

it.each([
  ['in one process', () => ({})],
  ['over a shared tier', () => ({ remote: memoryTier() })],
])('a signal of many reads has one listener, and none after them, %s', async (_, tiers) => {
  const seen = warnings();
  const source = new ManualSource<string, string>();
  const { cache } = manualCache({ ...tiers(), load: source.load });
  const { signal } = new AbortController();
  const reads = [cache.getMany(keys, { signal }), ...keys.map(key => cache.get(key, { signal }))];
  await settle();
  expect(getEventListeners(signal, 'abort').length).toBe(1);
  for (const call of source.calls.keys()) source.resolve(call, 'value');
  await Promise.all(reads);
  await settle();
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  expect(seen).toEqual([]);
});

it('an abort of many reads leaves no listener, and aborts their loads', async () => {
  const seen = warnings();
  const source = new ManualSource<string, string>();
  const { cache } = manualCache({ load: source.load });
  const controller = new AbortController();
  const { signal } = controller;
  const reads = [cache.getMany(keys, { signal }), ...keys.map(key => cache.get(key, { signal }))];
  const outcomes = Promise.allSettled(reads);
  await settle();
  controller.abort(new Error('gone'));
  for (const { status } of await outcomes) expect(status).toBe('rejected');
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  expect(source.calls.every(call => call.signal.aborted)).toBe(true);
  expect(seen).toEqual([]);
});
