import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it, vi } from 'vitest';
import { channel } from '../src/index.ts';

describe('channel', () => {
  it('is the diagnostics channel of that name', () => {
    const heard = vi.fn();
    const evictions = channel<{ key: string }>('ashlar:test:evict');
    expect(evictions.hasSubscribers).toBe(false);
    subscribe('ashlar:test:evict', heard);
    expect(evictions.hasSubscribers).toBe(true);
    evictions.publish({ key: 'a' });
    unsubscribe('ashlar:test:evict', heard);
    evictions.publish({ key: 'b' });
    expect(heard.mock.calls).toEqual([[{ key: 'a' }, 'ashlar:test:evict']]);
  });

  it('is silent where there is no such module', () => {
    // Without an await in between: the test runner needs its `process`
    vi.stubGlobal('process', undefined);
    try {
      const none = channel('ashlar:test:evict');
      expect(none.hasSubscribers).toBe(false);
      none.publish({});
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
