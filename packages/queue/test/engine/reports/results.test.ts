import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it, onTestFinished } from 'vitest';
import { memoryDriver, messages, Queue } from '../../../src/index.ts';

/** What users of other queues have reported of what handlers leave behind, tried here. */

it('what is too large to be kept is refused as progress, and dropped and reported as a result; nothing is handled again for it (srand/jolt 90, windmill-labs/windmill 10860)', async () => {
  await using queue = new Queue(memoryDriver(), { messages: messages<{ work: string }>() });
  const dropped: unknown[] = [];
  const listen = (message: unknown) => void dropped.push(message);
  subscribe('ashlar:queue:result-dropped', listen);
  onTestFinished(() => void unsubscribe('ashlar:queue:result-dropped', listen));
  // As JSON, with its quotes
  const sizes = { fits: 2 ** 24 - 2, large: 2 ** 24 - 1 };
  const refused: unknown[] = [];
  const handled: string[] = [];
  const handler = async (size: string, { progress }: { progress(value: unknown): Promise<void> }) => {
    const text = 'x'.repeat(sizes[size as keyof typeof sizes]);
    await progress(text).catch(error => refused.push(error));
    handled.push(size);
    return text;
  };
  await queue.subscribe('work', handler, { results: true });
  for (const size of ['fits', 'large']) await queue.publish('work', size, { id: size });
  const counts = () => queue.snapshot().subscriptions[0];
  await expect.poll(counts, { timeout: 60_000 }).toMatchObject({ handled: 2, failed: 0, lost: 0 });
  expect(handled.sort()).toEqual(['fits', 'large']);
  const code = 'ASHLAR_QUEUE_INVALID_PAYLOAD';
  expect(refused).toMatchObject([{ code }]);
  expect(String(refused[0])).toContain('16777217 bytes of JSON, and 16777216 are kept at most');
  expect(dropped).toMatchObject([{ id: 'large', error: { code } }]);
  expect((await queue.find('work', 'fits'))?.result).toHaveLength(sizes.fits);
  expect(await queue.find('work', 'large')).toBeUndefined();
});
