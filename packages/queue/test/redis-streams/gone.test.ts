import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { messages, Queue } from '../../src/index.ts';
import { group, StreamsSite, topic } from './site.ts';

describeWith([{ own: 'redis' }], 'a group of Redis Streams that is gone', () => {
  const site = new StreamsSite();
  const soon = { timeout: 20_000 };

  it.each(['the stream', 'the group', 'everything'])(
    'health fails when %s was deleted, and is well after another declaration',
    async what => {
      const { driver, prefix } = site.open();
      const queue = new Queue(driver, { messages: messages<{ [topic]: number }>() });
      onTestFinished(() => queue.close());
      const handled: number[] = [];
      await queue.subscribe(topic, n => void handled.push(n), { group });
      await queue.publish(topic, 1);
      await expect.poll(() => handled, soon).toEqual([1]);
      const names = (await site.keysOf(prefix)).map(name => `{${prefix}:${topic}}:${name}`);
      const stream = names.find(name => name.endsWith(':s'))!;
      if (what === 'the stream') await site.admin.del(stream);
      if (what === 'the group') await site.admin.xgroup('DESTROY', stream, group);
      if (what === 'everything') await site.admin.del(...names);
      await expect.poll(() => queue.health().ok, soon).toBe(false);
      expect(queue.health().subscriptions[0]!.reason).toContain('GroupGoneError');
      await queue.declare(topic, group);
      await expect.poll(() => queue.health().ok, soon).toBe(true);
      await queue.publish(topic, 2);
      await expect.poll(() => handled, soon).toEqual([1, 2]);
    },
  );
});
