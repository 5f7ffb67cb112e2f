import { expect, it } from 'vitest';
import { delayBucket } from '../../src/adapters/rabbitmq/names.ts';

it('a delay waits in one of eight queues for each doubling, and is late by 100 ms or an eighth at most', () => {
  for (let from = 1_024; from < 4_000_000_000; from *= 2) {
    const found = new Set<number>();
    for (let step = 1; step <= 1_000; step++) {
      const delayMs = from + (from * step) / 1_000;
      const bucket = delayBucket(delayMs);
      found.add(bucket);
      expect(bucket).toBeGreaterThanOrEqual(delayMs);
      expect(bucket - delayMs).toBeLessThanOrEqual(Math.max(100, delayMs / 8) + 1);
    }
    expect(found.size).toBe(8);
  }
});
