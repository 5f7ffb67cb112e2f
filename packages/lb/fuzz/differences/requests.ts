import { METHODS } from 'node:http';
import { type Case, methodOf, targetOf, valuesIn } from '../case.ts';
import { aspectIs, type Known, reached } from '../verdict/difference.ts';
import { endsWell, isIdempotent, oddities, sentAnswer } from '../verdict/sent.ts';

function lastRequest({ head }: Case): boolean {
  const connection = valuesIn(head, 'connection').join().toLowerCase();
  return head[0]!.endsWith('HTTP/1.1') ? connection.includes('close') : !connection.includes('keep-alive');
}

/** What ours does with requests, and why the peers differ. */
export const requests: readonly Known[] = [
  {
    name: 'Via',
    reason: 'a gateway names itself in requests (RFC 9110, 7.6.3), which also shows loops; neither peer does',
    explains: aspectIs(/^request header via$/),
  },
  {
    name: 'Max-Forwards is counted down',
    reason: 'by each hop (RFC 9110, 7.6.2); neither peer does',
    explains: ({ aspect, ours, theirs }) =>
      aspect === 'request header max-forwards' &&
      // The first counts, in every line
      ours.split(' | ').every(each => Number(each) === Number.parseInt(theirs, 10) - 1),
  },
  {
    name: 'asked again on a new connection',
    reason: 'an idempotent request is sent once more when the endpoint closes a kept connection under it',
    explains: ({ aspect, ours }, each) =>
      aspect === reached &&
      ours === '2' &&
      isIdempotent(each) &&
      (!endsWell(each, sentAnswer(each)) || each.answer.head[0]!.includes(' 101 ')),
  },
  {
    name: 'Max-Forwards: 0',
    reason: 'TRACE and OPTIONS are answered here (RFC 9110, 7.6.2); neither peer does',
    explains: ({ aspect, ours }, each) =>
      (ours === 'refused' || (aspect === reached && ours === '0')) &&
      /^(TRACE|OPTIONS)$/.test(methodOf(each)) &&
      valuesIn(each.head, 'max-forwards')[0] === '0',
  },
  {
    name: 'paths above the root',
    reason: 'are refused, as they could leave the path of an endpoint; so is what names a user',
    explains: ({ aspect, ours }, each) =>
      (ours === 'refused' || (aspect === reached && ours === '0')) &&
      /\.\.|%2e|%5c|\\|@/i.test(targetOf(each)),
  },
  {
    name: 'TRACE with a body',
    reason: 'is refused (RFC 9110, 9.3.8)',
    explains: ({ aspect, ours }, each) =>
      (ours === 'refused' || (aspect === reached && ours === '0')) &&
      methodOf(each) === 'TRACE' &&
      each.body !== '',
  },
  {
    name: 'Expect of HTTP/1.0',
    reason: 'is ignored, as it was not known then (RFC 9110, 10.1.1)',
    explains: ({ aspect }) => aspect === 'taken: expect',
  },
  {
    name: 'heads of about 16 KiB',
    reason: 'Node counts the bytes of names and values only',
    explains: ({ aspect }) => aspect === 'taken: long head',
  },
  {
    name: 'stricter with requests',
    reason: 'what RFC 9112 does not allow is refused, where a peer mends it or lets it pass',
    explains: ({ aspect, ours, theirs }, each) =>
      oddities(each).length > 0 &&
      ((aspect === 'outcome' && ours === 'refused') ||
        (aspect === reached && ours === '0') ||
        (aspect === 'outcome' && theirs === 'refused' && ours === 'failed')),
  },
  {
    name: '1 000 lines in a head',
    reason: 'are 431, as Node may have dropped the rest, and with it the framing of the body',
    explains: ({ aspect, ours }, each) =>
      (ours === 'refused' || (aspect === reached && ours === '0')) && each.head.length > 1_000,
  },
  {
    name: 'methods that Node does not know',
    reason: 'its parser takes those of a list only, in capitals',
    explains: ({ aspect, ours }, each) =>
      (ours === 'refused' || (aspect === reached && ours === '0')) && !METHODS.includes(methodOf(each)),
  },
  {
    name: 'chunk extensions and trailers that Node does not take',
    reason: 'its parser takes no blank before the semicolon, none without a name, and no framing in trailers',
    explains: ({ aspect, ours }, each) =>
      (ours === 'refused' || (aspect === reached && ours === '0')) &&
      /^[0-9a-f]+( ;|;\r)|\r\n0\r\nContent-Length/m.test(each.body),
  },
  {
    name: 'behind the last request',
    reason:
      'what is no request there, or follows one that ends the connection, Node refuses at once, also when the request before has no answer yet',
    explains: ({ aspect, ours }, each) =>
      aspect === 'taken: more than the request' ||
      (aspect === 'outcome' && ours === 'refused' && each.pipelined && lastRequest(each)),
  },
  {
    name: 'targets without a path',
    reason: 'are refused, as of schemes that are not for HTTP',
    explains: ({ aspect, ours }, each) =>
      (ours === 'refused' || (aspect === reached && ours === '0')) &&
      !/^(\/|\*|https?:)/i.test(targetOf(each)),
  },
  {
    name: 'Expect ends here',
    reason: 'Node has answered it, so it is dropped; HAProxy leaves it to the endpoint',
    explains: aspectIs(/^request header expect$/),
  },
  {
    name: 'of one hop',
    reason:
      'ours drops what concerns one connection (RFC 9110, 7.6.1), also trailers and their announcement; HAProxy makes its own accept',
    explains: aspectIs(
      /^(request|response) header (te|trailer|http2-settings|upgrade|proxy-connection|proxy-authorization|proxy-authenticate|sec-websocket-accept)$/,
    ),
  },
  {
    name: 'named in Connection',
    reason: 'a header that Connection names is dropped (RFC 9110, 7.6.1); neither peer does',
    explains: ({ aspect, ours }, each) => {
      const name = / header (.*)$/.exec(aspect)?.[1];
      const lines = aspect.startsWith('request') ? each.head : each.answer.head;
      return (
        name !== undefined && ours === '' && valuesIn(lines, 'connection').join().toLowerCase().includes(name)
      );
    },
  },
  {
    name: 'length of nothing',
    reason: 'a POST without a body says so by Content-Length: 0 (RFC 9110, 8.6), whatever the client said',
    explains: ({ aspect, ours, theirs }) =>
      aspect === 'request header content-length' && ours + theirs === '0',
  },
  {
    name: 'no Host from HTTP/1.0',
    reason: 'the endpoint is asked by HTTP/1.1, which has one: that of its url',
    explains: ({ aspect, theirs }) => aspect === 'request header host' && theirs === '',
  },
];
