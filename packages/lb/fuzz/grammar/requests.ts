import {
  bare,
  byLength,
  chunked,
  type Draft,
  plainBody,
  post,
  type Quirks,
  under,
  withLines,
} from './draft.ts';
import { hops } from './hops.ts';

/** Whoever takes the end of a body for a request asks for this. */
const hidden = `GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n`;

const replaceHost = (draft: Draft, ...hosts: string[]): void => {
  draft.lines = [...hosts.map(host => `Host: ${host}`), ...draft.lines.filter(line => !/^host:/i.test(line))];
};
const te = (...values: readonly string[]) => values.map(value => `Transfer-Encoding: ${value}`);

const framing: Quirks = {
  length: draft => post(draft, byLength),
  chunked: draft => post(draft, chunked()),
  'chunked without a body': draft => post(draft, chunked(), ''),
  'length of zero': draft => post(draft, byLength, ''),
  'a request in the body': (draft, choose) => post(draft, choose.of(byLength, chunked()), hidden),
  'body with GET': (draft, choose) => {
    draft.method = 'GET';
    draft.body = hidden;
    draft.framing = choose.of(byLength, chunked());
  },
  'large body': (draft, choose) => {
    post(draft, choose.of(byLength, chunked('', '', 20)), 'l'.repeat(choose.of(4_097, 70_000, 300_000)));
  },
  'no framing': draft => post(draft, bare, ''),
  'length and chunked': (draft, choose) => {
    const length = choose.of('Content-Length: 6', 'Content-Length: 0', 'Content-Length: 400');
    post(draft, withLines([length], chunked()), hidden);
  },
  'two lengths': (draft, choose) => {
    const second = choose.of(hidden.length, 0, 5);
    post(draft, withLines([`Content-Length: ${second}`], byLength), hidden);
  },
  'odd length': (draft, choose) => {
    const value = choose.of('5, 5', '+5', '-5', '0x5', '5 5', '', '5;', '99999999999999999999', '5.0', '05');
    post(draft, under([`Content-Length: ${value}`], bare), 'hello');
  },
  'chunk extension': (draft, choose) =>
    post(draft, chunked(choose.of(';a=b', ';a="x;y"', ' ;a', ';', `;${'e'.repeat(300)}`))),
  trailers: (draft, choose) =>
    post(draft, chunked('', choose.of('X-Sum: 1\r\n', 'Content-Length: 3\r\n', 'Host: other\r\n'))),
  'odd chunks': (draft, choose) => {
    const bytes = choose.of(
      '005\r\nhello\r\n0\r\n\r\n',
      '5\nhello\n0\n\n',
      '0x5\r\nhello\r\n0\r\n\r\n',
      '5\r\nhelloXX0\r\n\r\n',
      '-5\r\nhello\r\n0\r\n\r\n',
      '\r\n5\r\nhello\r\n0\r\n\r\n',
      'fffffffffffffffff\r\nhello\r\n0\r\n\r\n',
      '5\r\nhello\r\n00\r\n\r\n',
    );
    post(draft, () => ({ lines: te('chunked'), bytes }));
  },
  'other codings': (draft, choose) => {
    const lines = choose.of(
      te('gzip, chunked'),
      te('chunked, chunked'),
      te('identity'),
      te('xchunked'),
      te('gzip'),
      te('chunked', 'gzip'),
      te('gzip', 'chunked'),
      te('Chunked'),
      te('chunked;q=1'),
      te('\x0bchunked'),
      te(''),
      ['Transfer-Encoding : chunked'],
      ['Transfer-Encoding:\r\n chunked'],
      ['Transfer_Encoding: chunked', 'Content-Length: 10'],
    );
    post(draft, under(lines, chunked()), hidden);
  },
};

const heads: Quirks = {
  'HTTP/1.0': (draft, choose) => {
    draft.version = 'HTTP/1.0';
    draft.lines.push(...choose.of([], ['Connection: keep-alive']));
    if (choose.often(0.3)) replaceHost(draft);
    if (choose.often(0.3)) draft.body = plainBody;
    if (draft.body !== '') post(draft, choose.of(byLength, chunked()));
  },
  'odd version': (draft, choose) => {
    draft.version = choose.of(
      'HTTP/1.2',
      'HTTP/2.0',
      'http/1.1',
      'HTTP/1.1 ',
      'HTTP/01.1',
      'HTTP/1.10',
      'ICE/1.0',
      '',
    );
  },
  'odd line': (draft, choose) => {
    draft.lines.push(
      choose.of(
        'X-Folded: a\r\n b',
        'X-Folded: a\r\n\tb\r\n  c',
        'X-Space : a',
        'X Inner: a',
        'X-Obs: caf\xe9 \xff',
        'X-Utf8: \xc3\xa9',
        'X-Empty:',
        'X-Tab:\ta\tb\t',
        'X-Nul: a\0b',
        'X-Control: a\x01b',
        'X-Del: a\x7fb',
        'X-Return: a\rb',
        'X-Feed: a\nX-Second: b',
        ': no name',
        'no colon',
        'X-(Paren): a',
        'X-Caf\xe9: a',
        'x_under: a',
        '!#$%&*+-.^`|~: a',
        `X-Long: ${'l'.repeat(7_000)}`,
      ),
    );
  },
  'odd first line': (draft, choose) => {
    draft.lines.unshift(choose.of(' X-Folded: a', '\tb', ' Content-Length: 5'));
  },
  'very many lines': (draft, choose) => {
    const count = choose.of(101, 600, 1_999, 2_001, 2_500);
    draft.lines.splice(choose.of(0, 1), 0, ...Array.from({ length: count }, () => 'a:b'));
    if (choose.often(0.7)) post(draft, choose.of(byLength, chunked()));
  },
  'very long head': (draft, choose) => {
    draft.lines.push(`X-Long: ${'l'.repeat(choose.of(15_000, 17_000, 70_000))}`);
  },
  'odd host': (draft, choose) => {
    replaceHost(
      draft,
      ...choose.of(
        ['shop.test', 'shop.test'],
        ['shop.test', 'other.test'],
        [],
        [''],
        ['a b'],
        ['user@shop.test'],
        ['shop.test/path'],
        ['shop.test:port'],
        ['shop.test:80'],
        ['[::1]:8080'],
        ['a,b'],
        ['caf\xe9.test'],
        ['"shop"'],
        ['shop.test?q'],
        ['shop.test#f'],
        ['a\\b'],
      ),
    );
  },
  'cookies in lines': draft => void draft.lines.push('Cookie: a=1', 'Cookie: b=2', 'Accept: x', 'Accept: y'),
  'empty lines first': draft => {
    draft.method = `\r\n${draft.method}`;
  },
};

const targets: Quirks = {
  'odd target': (draft, choose) => {
    draft.target = choose.of(
      'http://shop.test/absolute',
      'http://other.test/absolute?q=1',
      'http://other.test:81',
      'http://other.test?q',
      'https://other.test/secure',
      'http://user:pw@other.test/x',
      'HTTP://OTHER.test/upper',
      'x://h?q',
      'x:y',
      'shop.test:80',
      '*',
      '/a/../b',
      '/../../b',
      '/%2e%2e/b',
      '/a/./b',
      '//other.test/b',
      '/a//b',
      '/#fragment',
      '/?',
      '?query',
      'relative',
      '/a\\b',
      '/%00',
      '/%zz',
      '/a b',
      '/caf\xe9',
      '/caf\xc3\xa9',
      '/a?b=\xe9',
      '/a"<>^`{|}',
      '/tab\tb',
      'http://other.test/a/../b',
      'http://other.test/%7Ea b',
      `/${'p'.repeat(9_000)}`,
    );
  },
  'asterisk with OPTIONS': (draft, choose) => {
    draft.method = 'OPTIONS';
    draft.target = choose.of('*', 'http://other.test', '/');
    if (choose.often(0.5)) draft.lines.push(`Max-Forwards: ${choose.of('0', '1', '70', 'x')}`);
  },
  TRACE: (draft, choose) => {
    draft.method = 'TRACE';
    if (choose.often(0.6)) draft.lines.push(`Max-Forwards: ${choose.of('0', '1')}`);
    if (choose.often(0.3)) draft.lines.push('Authorization: secret', 'Cookie: a=1');
  },
  CONNECT: (draft, choose) => {
    draft.method = 'CONNECT';
    draft.target = choose.of('shop.test:443', '/a');
  },
  'other method': (draft, choose) => {
    draft.method = choose.of(
      'HEAD',
      'HEAD',
      'PUT',
      'DELETE',
      'PATCH',
      'PROPFIND',
      'FOO',
      'get',
      'QUERY',
      'G(T',
      'M-SEARCH',
    );
    if (choose.often(0.3)) post(draft, byLength);
  },
};

export const requestQuirks: Quirks = { ...framing, ...heads, ...targets, ...hops };
