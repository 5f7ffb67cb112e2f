import { expect, it } from 'vitest';
import { type BatchContext, memoryDriver, messages, Queue } from '../../../src/index.ts';

it('who has listened to the signal of a batch may stop listening (langfuse/langfuse-js 858)', async () => {
  await using queue = new Queue(memoryDriver(), { messages: messages<{ work: number }>() });
  const heard: string[] = [];
  let begun: () => void = () => {};
  const running = new Promise<void>(resolve => {
    begun = resolve;
  });
  const handler = async (_: readonly number[], context: BatchContext) => {
    const stays = () => heard.push('stays');
    const goes = () => heard.push('goes');
    context.signal.addEventListener('abort', stays);
    context.signal.addEventListener('abort', goes);
    context.signal.removeEventListener('abort', goes);
    begun();
    await new Promise(resolve => context.signal.addEventListener('abort', resolve));
  };
  const subscription = await queue.subscribe('work', handler, { batch: { size: 2, waitMs: 0 } });
  await queue.publishMany('work', [1, 2]);
  await running;
  await subscription.close({ timeoutMs: 0 });
  expect(heard).toEqual(['stays']);
});
