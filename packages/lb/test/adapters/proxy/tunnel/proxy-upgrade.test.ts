import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NoEndpointError } from '../../../../src/index.ts';
import { type Front, front } from '../../../support/front.ts';
import { Replica } from '../../../support/servers/replica.ts';
import { until } from '../../../support/until.ts';

/** A client that asks to switch protocols. */
class Client {
  text = '';
  readonly socket: Socket;
  readonly closed: Promise<unknown>;

  constructor(port: number, more = '') {
    this.socket = connect(port, '127.0.0.1').setEncoding('latin1');
    onTestFinished(() => void this.socket.destroy());
    this.closed = once(this.socket, 'close');
    this.socket
      .on('error', () => {})
      .on('data', text => {
        this.text += text;
      });
    this.socket.write(
      `GET /live?x HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n${more}`,
    );
  }

  saw(text: string): Promise<void> {
    return until(() => expect(this.text).toContain(text));
  }
}

async function setup(mode = 'ok'): Promise<Front & { a: Replica; b: Replica }> {
  const [a, b] = (await Replica.all('a', 'b')) as [Replica, Replica];
  await a.mode(mode);
  return { a, b, ...(await front([a, b], { headersTimeoutMs: 1_000 })) };
}

describe('upgrade', () => {
  it('hands on the request, the answer, and then the bytes of both sides', async () => {
    const { port, lb } = await setup();
    const client = new Client(port, 'early ');
    await client.saw('early');
    expect(client.text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(client.text).toMatch(/connection: upgrade\r\nupgrade: echo\r\n\r\n/i);
    expect(client.text).toContain('"url":"/live?x"');
    expect(client.text).toContain('"x-forwarded-for":"127.0.0.1"');
    expect(client.text).toContain('"host":"shop"');
    client.socket.write('ping');
    await client.saw('ping');
    expect(lb.snapshot()).toMatchObject({ inFlight: 1, endpoints: [{ inFlight: 1 }, {}] });
    client.socket.write('bye');
    await client.closed;
    expect(client.text.endsWith('bye')).toBe(true);
    await until(() =>
      expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ succeeded: 1 }, {}] }),
    );
  });

  it.each(['reset', 'silent'])('goes to another endpoint when the first is %s', async mode => {
    const { port, lb } = await setup(mode);
    const client = new Client(port);
    await client.saw('x-replica: b');
    expect(lb.snapshot()).toMatchObject({
      retries: 1,
      endpoints: [{ failed: 1, inFlight: 0 }, { inFlight: 1 }],
    });
  });

  it('goes to another endpoint when nobody listens', async () => {
    const { port, a } = await setup();
    await a.kill();
    await new Client(port).saw('x-replica: b');
  });

  it('hands on an answer that does not switch', async () => {
    const { port, lb } = await setup('unavailable');
    const client = new Client(port);
    await client.closed;
    expect(client.text).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
    expect(client.text.endsWith('\r\n\r\nlater')).toBe(true);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 1 }, {}] });
  });

  it('tells in clear words that there is no endpoint', async () => {
    const { port } = await front([]);
    const client = new Client(port);
    await client.closed;
    expect(client.text).toMatch(/^HTTP\/1\.1 503 /);
    expect(client.text).toContain(`"code":"${NoEndpointError.code}"`);
  });

  it('ends both sides when one goes, and blames nobody for the client', async () => {
    const { port, a, b, lb } = await setup();
    const first = new Client(port);
    await first.saw('101');
    first.socket.resetAndDestroy();
    await a.saw('tunnelClosed');
    const second = new Client(port);
    await second.saw('x-replica: b');
    await b.kill();
    await second.closed;
    await until(() => expect(lb.snapshot().inFlight).toBe(0));
    expect(lb.snapshot().endpoints).toMatchObject([{ canceled: 1, failed: 0 }, { succeeded: 1 }]);
  });

  it('ends with the proxy', async () => {
    const { port, proxy, lb } = await setup();
    const client = new Client(port);
    await client.saw('101');
    await proxy.close();
    await client.closed;
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ canceled: 1 }, {}] });
  });
});
