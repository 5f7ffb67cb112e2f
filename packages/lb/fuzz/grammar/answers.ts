import { bare, byLength, chunked, type Draft, type Quirks, under, withLines } from './draft.ts';

const second = 'HTTP/1.1 200 OK\r\nX-Second: 1\r\nContent-Length: 6\r\n\r\nsecond';

const te = (...values: readonly string[]) => values.map(value => `Transfer-Encoding: ${value}`);
const untilClose = (draft: Draft): void => {
  draft.answerFraming = bare;
  draft.after = 'end';
};

const framing: Quirks = {
  'chunked answer': draft => {
    draft.answerFraming = chunked();
  },
  'answer until close': draft => untilClose(draft),
  'answer with length and chunked': (draft, choose) => {
    const length = choose.of('Content-Length: 3', 'Content-Length: 0', 'Content-Length: 400');
    draft.answerFraming = withLines([length], chunked());
  },
  'answer with two lengths': (draft, choose) => {
    draft.answerFraming = withLines(
      [`Content-Length: ${choose.of(draft.answerBody.length, 0, 3)}`],
      byLength,
    );
  },
  'answer with an odd length': (draft, choose) => {
    const value = choose.of('5, 5', '+5', '-5', '0x5', '', '5;', '99999999999999999999', '05');
    draft.answerBody = 'hello';
    draft.answerFraming = under([`Content-Length: ${value}`], bare);
  },
  'answer with odd chunks': (draft, choose) => {
    const bytes = choose.of(
      '5;a=b\r\nhello\r\n0\r\n\r\n',
      '5\r\nhello\r\n0\r\nX-Sum: 1\r\nSet-Cookie: t=1\r\n\r\n',
      '0x5\r\nhello\r\n0\r\n\r\n',
      '5\nhello\n0\n\n',
      '5\r\nhelloXX0\r\n\r\n',
      'fffffffffffffffff\r\nhello\r\n0\r\n\r\n',
      '005\r\nhello\r\n000\r\n\r\n',
    );
    draft.answerFraming = () => ({ lines: te('chunked'), bytes });
  },
  'answer in other codings': (draft, choose) => {
    const lines = choose.of(
      te('gzip, chunked'),
      te('chunked, chunked'),
      te('identity'),
      te('gzip'),
      te('gzip', 'chunked'),
      te('chunked', 'identity'),
      te('Chunked'),
      te('xchunked'),
      ['Transfer-Encoding : chunked'],
    );
    draft.answerFraming = under(lines, chunked());
    draft.after = 'end';
  },
  'more than the length': (draft, choose) => {
    const more = choose.of('more', second, '\r\n');
    draft.answerFraming = body => ({ ...byLength(body), bytes: body + more });
  },
  'less than the length': (draft, choose) => {
    draft.answerFraming = body => ({ ...byLength(body), bytes: body.slice(0, -1) });
    draft.after = choose.of('end', 'reset');
  },
  'HTTP/1.0 answer': (draft, choose) => {
    draft.status = draft.status.replace('HTTP/1.1', 'HTTP/1.0');
    const kept = choose.often(0.4);
    if (kept) draft.answerLines.push('Connection: keep-alive');
    draft.answerFraming = choose.of(byLength, chunked(), bare);
    if (!kept || draft.answerFraming === bare) draft.after = 'end';
  },
};

const heads: Quirks = {
  reason: (draft, choose) => {
    draft.status = `HTTP/1.1 200${choose.of('', ' ', ' caf\xe9', ' gr\xc3\xbc\xc3\x9f', ' \tTab', ' a\x01b', ' a\0b', ' a\rb', ` ${'r'.repeat(9_000)}`, ` ${'r'.repeat(65_536)}`)}`;
  },
  status: (draft, choose) => {
    const code = choose.of(
      '201',
      '206',
      '205',
      '301',
      '404',
      '408',
      '416',
      '421',
      '429',
      '500',
      '502',
      '503',
      '504',
      '599',
      '600',
      '999',
      '099',
      '20',
      '2000',
      '-20',
      '2xx',
    );
    draft.status = `HTTP/1.1 ${code} Said So`;
    if (code === '301') draft.answerLines.push('Location: http://127.0.0.1/elsewhere');
    if (code === '503') draft.answerLines.push('Retry-After: 1');
  },
  'bodiless status': (draft, choose) => {
    draft.status = `HTTP/1.1 ${choose.of('204 No Content', '304 Not Modified')}`;
    const text = draft.answerBody;
    const lines = choose.of([], [`Content-Length: ${text.length}`], te('chunked'), ['Content-Length: 0']);
    draft.answerFraming = () => ({ lines, bytes: choose.of('', '', text) });
  },
  'answer to HEAD': (draft, choose) => {
    draft.method = 'HEAD';
    const lines = choose.of([], ['Content-Length: 22'], te('chunked'), ['Content-Length: 0']);
    draft.answerFraming = body => ({ lines, bytes: choose.of('', '', '', body) });
  },
  'odd status line': (draft, choose) => {
    draft.status = choose.of(
      'HTTP/1.1  200 OK',
      'HTTP/2.0 200 OK',
      'HTTP/1.2 200 OK',
      'http/1.1 200 OK',
      'ICY 200 OK',
      'hello',
      '',
      'HTTP/1.1 200\tOK',
      'SSH-2.0-OpenSSH_9',
    );
  },
  interim: (draft, choose) => {
    draft.interim = choose.of(
      [['HTTP/1.1 100 Continue']],
      [['HTTP/1.1 103 Early Hints', 'Link: </a.css>; rel=preload']],
      [['HTTP/1.1 102 Processing'], ['HTTP/1.1 103 Early Hints', 'Link: </b>']],
      [['HTTP/1.1 100 Continue'], ['HTTP/1.1 100 Continue']],
      [['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']],
      [['HTTP/1.1 103 Early Hints', 'Content-Length: 5']],
      Array.from({ length: 30 }, () => ['HTTP/1.1 103 Early Hints']),
    );
  },
  'odd answer line': (draft, choose) => {
    draft.answerLines.push(
      choose.of(
        'X-Folded: a\r\n b',
        'X-Space : a',
        'X-Obs: caf\xe9 \xff',
        'X-Utf8: \xc3\xa9',
        'X-Empty:',
        'X-Nul: a\0b',
        'X-Control: a\x01b',
        'X-Return: a\rb',
        'X-Feed: a\nX-Second: b',
        ': no name',
        'no colon',
        'X-(Paren): a',
        'x_under: a',
        `X-Long: ${'l'.repeat(9_000)}`,
        `X-Long: ${'l'.repeat(20_000)}`,
      ),
    );
  },
  'very many answer lines': (draft, choose) => {
    const count = choose.of(101, 1_000, 2_001, 2_500);
    const many = Array.from({ length: count }, () => 'a:b');
    if (choose.often(0.5)) draft.answerLines.unshift(...many);
    else draft.answerLines.push(...many);
    if (choose.often(0.3)) draft.answerFraming = chunked();
  },
  'answer of one hop': (draft, choose) => {
    draft.answerLines.push(
      ...choose.of(
        ['Connection: X-Custom', 'X-Custom: 1'],
        ['Connection: Set-Cookie'],
        ['Connection: Content-Length'],
        ['Connection: Transfer-Encoding'],
        ['Connection: close'],
        ['Keep-Alive: timeout=5'],
        ['Proxy-Authenticate: Basic'],
        ['Upgrade: h2c', 'Connection: Upgrade'],
        ['Trailer: X-Sum'],
        ['Proxy-Connection: close'],
      ),
    );
  },
  cookies: draft =>
    void draft.answerLines.push('Set-Cookie: a=1; Path=/', 'set-cookie: b=2', 'Set-Cookie: a=1'),
  'answer names': (draft, choose) => {
    draft.answerLines.push(
      ...choose.of(
        ['Server: theirs', 'Date: Thu, 01 Jan 1970 00:00:00 GMT'],
        ['Via: 1.1 other'],
        ['WWW-Authenticate: Basic', 'WWW-Authenticate: Digest'],
        ['Content-Type: text/event-stream'],
        ['Content-Type: text/plain', 'Content-Type: text/html'],
        ['X-Accel-Buffering: no'],
        ['X-Accel-Redirect: /elsewhere'],
        ['Location: /a', 'Location: /b'],
        ['ETag: "a"', 'Content-Encoding: gzip'],
      ),
    );
  },
  'size of the answer': (draft, choose) => {
    draft.answerBody = 'b'.repeat(choose.of(0, 1, 16_385, 65_536, 65_537, 200_000));
    if (choose.often(0.5)) draft.answerFraming = chunked('', '', choose.of(1, 3, 20));
  },
};

const large: Quirks = {
  'large answer that is cut': (draft, choose) => {
    draft.answerBody = 'c'.repeat(choose.of(10_000, 100_000));
    draft.answerFraming = choose.of(byLength, chunked('', '', 10), bare);
    draft.answerCut = { part: 0.5 + choose.part() / 2, how: choose.of('end', 'reset') };
  },
};

export const answerQuirks: Quirks = { ...framing, ...heads, ...large };
