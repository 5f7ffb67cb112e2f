import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { fail, stateOf } from '../../support/policies/picking.ts';
import { listening } from '../../support/servers/listening.ts';
import { until } from '../../support/until.ts';

/** An endpoint whose answers never end: an event stream, or a connection that has switched protocols. */
async function streaming() {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
  });
  server.on('upgrade', (_, socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  });
  return listening(server);
}

const outlier = { baseEjectionMs: 10 };

describe('an ejected endpoint comes back with the head of a stream that its probe gets', () => {
  it.each(['event stream', 'upgrade'])('through the dispatcher: %s', async kind => {
    const { url } = await streaming();
    const { lb, dispatcher } = dispatching(
      [
        { id: 'a', url },
        { id: 'b', url: 'http://127.0.0.1:1' },
      ],
      {},
      { outlier },
    );
    fail(lb, 'a', 5);
    expect(stateOf(lb, 'a')).toBe('ejected');
    const ask = () =>
      kind === 'upgrade'
        ? dispatcher
            .upgrade({ path: '/', protocol: 'echo' })
            .then(({ socket }) => socket.on('error', () => {}))
        : dispatcher.request({ path: '/', method: 'GET' }).then(({ body }) => body.on('error', () => {}));
    await until(async () => {
      await ask().catch(() => {}); // Nobody listens at `b`
      expect(stateOf(lb, 'a')).toBe('up');
    });
    expect(lb.snapshot().inFlight).toBeGreaterThan(0);
  });

  it.each(['event stream', 'upgrade'])('through the proxy: %s', async kind => {
    const { url } = await streaming();
    const { lb, port } = await front(
      [
        { id: 'a', url },
        { id: 'b', url: 'http://127.0.0.1:1' },
      ],
      {},
      { outlier },
    );
    fail(lb, 'a', 5);
    expect(stateOf(lb, 'a')).toBe('ejected');
    const headers = kind === 'upgrade' ? { connection: 'upgrade', upgrade: 'echo' } : {};
    const ask = async () => {
      const request = httpRequest({ host: '127.0.0.1', port, headers, agent: false }).end();
      onTestFinished(() => void request.destroy());
      const answered = [once(request, 'response'), once(request, 'upgrade')];
      const [answer] = await Promise.race(answered);
      answer.on('error', () => {});
    };
    await until(async () => {
      await ask();
      expect(stateOf(lb, 'a')).toBe('up');
    });
    expect(lb.snapshot().inFlight).toBeGreaterThan(0);
  });
});
