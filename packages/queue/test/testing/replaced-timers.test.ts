import { expect, it, onTestFinished, vi } from 'vitest';

interface Messages {
  mail: { to: string };
}

// As a setup file of Vitest, `fakeTimers.enableGlobally` of Jest or `mock.timers` of Node's own runner does it
const ways = {
  'of Vitest': async () => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  },
  'of Node': async () => {
    const { mock } = await import('node:test');
    mock.timers.enable();
    return () => mock.timers.reset();
  },
};

for (const [whose, replace] of Object.entries(ways)) {
  it(`works where the timers were replaced before it was loaded: ${whose}`, async () => {
    vi.resetModules();
    onTestFinished(await replace());
    const { messages } = await import('../../src/index.ts');
    const { TestQueue, TestTimeoutError } = await import('../../src/testing.ts');
    await using queue = new TestQueue({ messages: messages<Messages>() });
    const seen: string[] = [];
    await queue.subscribe('mail', ({ to }, { attempt }) => {
      if (attempt === 1) throw new Error('the server is away');
      seen.push(to);
    });
    await queue.publish('mail', { to: 'ada' });
    await queue.publish('mail', { to: 'bob' }, { delayMs: 60_000 });
    await queue.drain();
    expect(seen).toEqual(['ada', 'bob']);
    const never = queue.spy.waitFor('mail', undefined, { state: 'dead', timeoutMs: 20 });
    await expect(never).rejects.toBeInstanceOf(TestTimeoutError);
    let end = () => {};
    const handling = new Promise<void>(resolve => {
      end = resolve;
    });
    const slow = await queue.subscribe('mail', () => handling, { group: 'slow' });
    const publishing = queue.publish('mail', { to: 'eve' });
    await queue.spy.waitFor('mail', ({ to }) => to === 'eve', { state: 'published' });
    await expect(queue.run({ timeoutMs: 20 })).rejects.toBeInstanceOf(TestTimeoutError);
    end();
    await publishing;
    await slow.close();
  });
}
