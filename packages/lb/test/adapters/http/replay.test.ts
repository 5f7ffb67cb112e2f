import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Replay } from '../../../src/adapters/http/replay.ts';
import { RequestStalledError } from '../../../src/adapters/proxy.ts';

describe('the chunks of a body', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function replay(chunks: readonly string[]) {
    const left = [...chunks];
    const onError = vi.fn();
    const read = () => {
      const chunk = left.shift();
      return chunk === undefined ? new Promise<never>(() => {}) : Promise.resolve(Buffer.from(chunk));
    };
    return { replay: new Replay(10, 1_000, read, onError), onError };
  }

  it('may stand still while nobody asks for more, and no longer than it may once somebody does', async () => {
    const { replay: body, onError } = replay(['one', 'two']);
    const reader = body.open();
    expect(String((await reader.next()).value)).toBe('one');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(String((await reader.next()).value)).toBe('two');
    void reader.next();
    await vi.advanceTimersByTimeAsync(999);
    expect(onError).not.toHaveBeenCalled();
    // What has arrived meanwhile is read first
    await vi.advanceTimersByTimeAsync(20);
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(RequestStalledError));
    expect(String(onError.mock.calls[0]?.[0])).toContain('the request body stalled for 1000 ms');
  });

  it('is waited for once, however many readers follow each other', async () => {
    const { replay: body, onError } = replay(['one']);
    for (let attempt = 0; attempt < 3; attempt++) {
      const reader = body.open();
      expect(String((await reader.next()).value)).toBe('one');
      void reader.next();
    }
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(onError).toHaveBeenCalledOnce();
  });

  it('keeps no timer when nobody wants it any more', async () => {
    const { replay: body, onError } = replay([]);
    void body.open().next();
    expect(vi.getTimerCount()).toBe(1);
    body.free();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(onError).not.toHaveBeenCalled();
  });
});
