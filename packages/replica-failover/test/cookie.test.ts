import { once } from 'node:events';
import { createServer, type OutgoingHttpHeader, type OutgoingHttpHeaders } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { currentSession, maxSessionLength, Session } from '../src/index.ts';
import { SessionCookie } from '../src/sessions/cookie.ts';

const secrets = ['a secret of this test'];
const cookie = new SessionCookie({ secrets });
const seen = () => {
  const session = new Session();
  session.advance('shop', { term: 3, offset: 70_000n });
  return session;
};
const sent = (header: string) => header.split(';')[0]!;

describe('SessionCookie', () => {
  it('reads what it has written', () => {
    const read = cookie.read(`a=1; ${sent(cookie.header(seen()))}; b=2`);
    expect(read.serialize()).toBe(seen().serialize());
  });

  it('is for https alone and not for scripts, unless it says otherwise', () => {
    const options = { secrets: ['a secret of sixteen'] };
    const headerOf = (more: object) => new SessionCookie({ ...options, ...more }).header(new Session());
    expect(headerOf({}).split('; ').slice(1)).toEqual(['Path=/', 'HttpOnly', 'SameSite=Lax', 'Secure']);
    expect(headerOf({ secure: false })).not.toContain('Secure');
    expect(headerOf({ name: 'shop' })).toMatch(/^shop=/);
  });

  it('takes an old secret behind the new one, and signs with the first', () => {
    const both = new SessionCookie({ secrets: ['the secret of tomorrow', ...secrets] });
    expect(both.read(sent(cookie.header(seen()))).serialize()).toBe(seen().serialize());
    expect(cookie.read(sent(both.header(seen()))).serialize()).toBe('1');
  });

  it.each([
    ['the text', (text: string) => text.replace('1~shop=3', '1~shop=4')],
    ['the signature', (text: string) => `${text.slice(0, -1)}${text.endsWith('A') ? 'B' : 'A'}`],
    ['a signature that is longer', (text: string) => `${text}A`],
    ['one that is not there', (text: string) => text.slice(0, text.lastIndexOf('.'))],
    ['another name', (text: string) => text.replace('ashlar-session', 'ashlar-sessio')],
    ['nothing', () => ''],
  ])('a changed cookie is that of a new session: %s', (_, change) => {
    const before = sent(cookie.header(seen()));
    expect(change(before)).not.toBe(before);
    expect(cookie.read(change(before)).serialize()).toBe('1');
  });

  it('was signed for its name', () => {
    const other = new SessionCookie({ secrets, name: 'other' });
    expect(other.read(sent(cookie.header(seen())).replace('ashlar-session', 'other')).serialize()).toBe('1');
  });

  it('finds the right one of two with its name, as a subdomain may set another', () => {
    const both = `ashlar-session=1.x; ${sent(cookie.header(seen()))}`;
    expect(cookie.read(both).serialize()).toBe(seen().serialize());
  });

  it('fits into a cookie, however much was seen', () => {
    const session = new Session();
    for (let n = 0; n < 300; n++) session.advance(`set ${n}`, { term: 1, offset: BigInt(n) });
    const text = sent(cookie.header(session));
    expect(text.length).toBeLessThanOrEqual('ashlar-session='.length + maxSessionLength + 48);
    expect(cookie.read(text).serialize()).toBe(session.serialize());
  });

  it.each([
    [{}, '`secrets` is required: write `[process.env.SESSION_SECRET]`'],
    [{ secrets: 'abc' }, '`secrets` must be an array'],
    [{ secrets: [] }, '`secrets` must be at least one secret'],
    [{ secrets: ['short'] }, '`secrets[0]` must be a string of at least 16 characters'],
    [{ secrets: [undefined] }, '`secrets[0]` must be a string of at least 16 characters'],
    [{ secrets, name: 'a b' }, '`name` must be the name of a cookie, got "a b"'],
    [{ secrets, secret: 'x' }, 'did you mean `secrets`?'],
  ])('refuses %o', (options, message) => {
    expect(() => new SessionCookie(options as never)).toThrow(message);
  });

  it('does not show a secret in its error', () => {
    expect(() => new SessionCookie({ secrets: ['tiny'] })).not.toThrow(/tiny/);
  });
});

describe('its middleware', () => {
  type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];
  /** The cookies of a response, which is sent with these headers. */
  const respond = async (headers: Headers | undefined, work: () => void): Promise<string[]> => {
    const server = createServer((request, response) =>
      cookie.handle(request, response, () => {
        response.setHeader('set-cookie', 'first=1');
        work();
        if (headers !== undefined) response.writeHead(200, 'fine', headers);
        response.end();
      }),
    ).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return response.headers.getSetCookie().map(each => each.split('=')[0]!);
  };
  const advance = () => currentSession()!.advance('shop', { term: 1, offset: 1n });

  it.each<[string, Headers | undefined, string[]]>([
    ['no headers', undefined, ['first', 'ashlar-session']],
    ['other headers', { 'x-a': '1' }, ['first', 'ashlar-session']],
    ['a cookie', { 'Set-Cookie': 'second=1' }, ['second', 'ashlar-session']],
    ['cookies', { 'set-cookie': ['second=1', 'third=1'] }, ['second', 'third', 'ashlar-session']],
    ['a list', ['x-a', '1'], ['first', 'ashlar-session']],
    ['a list with a cookie', ['x-a', '1', 'Set-Cookie', 'second=1'], ['second', 'ashlar-session']],
  ])('adds its cookie to %s', async (_, headers, names) => {
    expect(await respond(headers, advance)).toEqual(names);
  });

  it.each<[string, (response: Http2ServerResponse) => void, string]>([
    ['no body', response => response.writeHead(204).end(), '204 '],
    ['no body, and no head before', response => Object.assign(response, { statusCode: 201 }).end(), '201 '],
    ['a body', response => void response.end('fine'), '200 fine'],
    ['a body in parts', response => void (response.write('fi') && response.end('ne')), '200 fine'],
  ])('adds its cookie to a response of HTTP/2 with %s', async (_, answer, said) => {
    const server = http2.createServer((request, response) =>
      cookie.handle(request, response, () => {
        advance();
        answer(response);
      }),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => {
      client.destroy();
      server.close();
    });
    const asked = client.request({ ':path': '/' });
    const [headers] = await once(asked, 'response');
    expect(`${headers[':status']} ${(await asked.toArray()).join('')}`).toBe(said);
    expect(headers['set-cookie']?.[0]).toMatch(/^ashlar-session=/);
  });

  it('sends no cookie when nothing new was seen', async () => {
    expect(await respond(undefined, () => {})).toEqual(['first']);
  });
});
