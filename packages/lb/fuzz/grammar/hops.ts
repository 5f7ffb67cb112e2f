import { bare, byLength, chunked, post, type Quirks } from './draft.ts';

/** What is about one connection or the way to it. */
export const hops: Quirks = {
  'named in Connection': (draft, choose) => {
    const name = choose.of(
      'X-Forwarded-Proto',
      'X-Forwarded-For',
      'X-Custom',
      'Host',
      'Content-Length',
      'Transfer-Encoding',
      'Cookie',
      'close, X-Custom',
      'keep-alive,, x-custom',
      '"X-Custom"',
      'Authorization',
    );
    draft.lines.push(`Connection: ${name}`, 'X-Custom: 1', 'Cookie: a=1', 'Authorization: b');
    if (choose.often(0.4)) post(draft, choose.of(byLength, chunked()));
  },
  'of one hop': (draft, choose) => {
    draft.lines.push(
      ...choose.of(
        ['Keep-Alive: timeout=5'],
        ['TE: trailers', 'Connection: TE'],
        ['Proxy-Connection: keep-alive'],
        ['Proxy-Authorization: Basic x'],
        ['Trailer: X-Sum'],
        ['Connection: close'],
      ),
    );
  },
  forwarded: (draft, choose) => {
    draft.lines.push(
      choose.of(
        'X-Forwarded-For: 6.6.6.6',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: evil.test',
        'X-Forwarded-Port: 444',
        'X_Forwarded_For: 6.6.6.6',
        'X_Forwarded-Proto: https',
        'X_FORWARDED_HOST: evil.test',
        'Forwarded: for=6.6.6.6',
        'X-Forwarded-For : 6.6.6.6',
        'X-Forwarded-Server: evil.test',
        'X-Forwarded-Prefix: /evil',
        'X-Real-IP: 6.6.6.6',
      ),
    );
  },
  Via: (draft, choose) =>
    void draft.lines.push(choose.of('Via: 1.1 ashlar', 'Via: 1.0 a, 1.1 b', 'Max-Forwards: 0')),
  Expect: (draft, choose) => {
    draft.lines.push(choose.of('Expect: 100-continue', 'Expect: 100-Continue', 'Expect: miracles'));
    if (choose.often(0.6)) post(draft, choose.of(byLength, chunked()));
  },
  upgrade: (draft, choose) => {
    const kind = choose.of('websocket', 'h2c', 'h2c', 'unknown');
    draft.lines.push(`Upgrade: ${kind}`);
    draft.lines.push(
      choose.of(
        'Connection: Upgrade',
        'Connection: Upgrade, HTTP2-Settings',
        'Connection: upgrade, X-Custom',
        'X-None: 1',
      ),
    );
    if (kind === 'websocket') {
      draft.lines.push('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13');
    }
    if (kind === 'h2c') draft.lines.push('HTTP2-Settings: AAMAAABkAAQAAP__');
    if (choose.often(0.4)) post(draft, choose.of(byLength, chunked()));
    if (draft.body !== '' || choose.often(0.5)) return;
    draft.status = 'HTTP/1.1 101 Switching Protocols';
    draft.answerLines.push(`Upgrade: ${kind}`, 'Connection: Upgrade');
    draft.answerFraming = bare;
    draft.answerBody = 'from the other side';
    draft.after = 'end';
  },
};
