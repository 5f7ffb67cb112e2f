import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { starters } from '../src/proxy/subjects.ts';

const large = 'x'.repeat(300_000);

async function startBackend(id: string): Promise<string> {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    response.end(request.url === '/large' ? large : `${id} ${request.method} ${text}`);
  });
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The servers and our own, which needs a build, have tests elsewhere. */
const peers = Object.keys(starters).filter(name => !/^(nginx|haproxy|@ashlar)/.test(name));

describe('the programs of `npm run proxy`', () => {
  it.each(peers)('%s hands on what the loads ask for', { timeout: 60_000 }, async name => {
    const subject = await starters[name]!([await startBackend('a'), await startBackend('b')]);
    onTestFinished(() => subject.stop());
    const post = { method: 'POST', body: 'hello' };
    expect(await (await fetch(subject.url)).text()).toMatch(/^[ab] GET $/);
    expect(await (await fetch(subject.url, post)).text()).toMatch(/^[ab] POST hello$/);
    expect(await (await fetch(`${subject.url}/large`)).text()).toBe(large);
  });
});
