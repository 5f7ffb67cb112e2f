import { getEventListeners } from 'node:events';
import { expect, it, onTestFinished, vi } from 'vitest';
import { onAbort } from '../../src/index.ts';

it('tells all who listen, with one listener on the signal and no warning', () => {
  const warned = vi.spyOn(process, 'emitWarning');
  onTestFinished(() => warned.mockRestore());
  const controller = new AbortController();
  const heard: string[] = [];
  const stops = Array.from({ length: 20 }, (_, index) =>
    onAbort(controller.signal, reason => heard.push(`${index} ${reason}`)),
  );
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
  for (const stop of stops.slice(2)) stop();
  controller.abort('over');
  expect(heard).toEqual(['0 over', '1 over']);
  expect(warned).not.toHaveBeenCalled();
});

it('leaves nothing on the signal when all have stopped, and can be used again', () => {
  const controller = new AbortController();
  const first = vi.fn();
  for (let i = 0; i < 2; i++) {
    const stop = onAbort(controller.signal, first);
    stop();
    stop();
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  }
  const second = vi.fn();
  onAbort(controller.signal, second);
  controller.abort('over');
  expect(first).not.toHaveBeenCalled();
  expect(second).toHaveBeenCalledExactlyOnceWith('over');
});

it('tells at once of what has aborted already', () => {
  const listener = vi.fn();
  onAbort(AbortSignal.abort('before'), listener)();
  expect(listener).toHaveBeenCalledExactlyOnceWith('before');
});
