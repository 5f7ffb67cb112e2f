import { METHODS, STATUS_CODES } from 'node:http';
import { answerBytes, type Case, methodOf, targetOf, valuesIn } from './case.ts';
import { toMend } from './to-mend.ts';
import type { Difference, Known } from './verdict/difference.ts';
import { endsWell, oddities, otherCodings, sentAnswer } from './verdict/sent.ts';

const aspectIs = (pattern: RegExp) => (difference: Difference) => pattern.test(difference.aspect);

function oddAnswer(each: Case): boolean {
  const answer = sentAnswer(each);
  return (
    answer === undefined ||
    !endsWell(each, answer) ||
    answer.flaws.length > 0 ||
    otherCodings(each.answer.head)
  );
}

function lastRequest({ head }: Case): boolean {
  const connection = valuesIn(head, 'connection').join().toLowerCase();
  return head[0]!.endsWith('HTTP/1.1') ? connection.includes('close') : !connection.includes('keep-alive');
}

const reached = 'requests at the endpoint';

const idempotent = /^(GET|HEAD|OPTIONS|TRACE|PUT|DELETE)$/;

const byDesign: readonly Known[] = [
  {
    name: 'Via',
    reason: 'a gateway names itself in requests (RFC 9110, 7.6.3), which also shows loops; neither peer does',
    explains: aspectIs(/^request header via$/),
  },
  {
    name: 'Max-Forwards is counted down',
    reason: 'by each hop (RFC 9110, 7.6.2); neither peer does',
    explains: ({ aspect, ours, theirs }) =>
      aspect === 'request header max-forwards' && Number(ours) === Number(theirs) - 1,
  },
  {
    name: 'asked again on a new connection',
    reason: 'an idempotent request is sent once more when the endpoint closes a kept connection under it',
    explains: ({ aspect, ours }, each) =>
      aspect === reached &&
      ours === '2' &&
      idempotent.test(methodOf(each)) &&
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
    name: 'the length in a 204 or 101',
    reason: 'is dropped (RFC 9110, 8.6); nginx sends it on',
    explains: ({ aspect, ours }, each) =>
      aspect === 'response header content-length' && ours === '' && / (204|101) /.test(each.answer.head[0]!),
  },
  {
    name: 'zeros before a length at nginx',
    reason: 'are dropped there; the number is the same',
    explains: ({ aspect, ours, theirs }) =>
      aspect === 'response header content-length' && ours !== '' && Number(ours) === Number(theirs),
  },
  {
    name: 'standard reason phrases',
    reason: 'replace those that are long or not of printable ASCII',
    explains: ({ aspect, ours }, each) =>
      aspect === 'reason phrase' && ours === STATUS_CODES[each.answer.head[0]!.split(' ')[1]!],
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
    name: 'the host of an absolute target at the peers',
    reason: 'replaces that of Host (RFC 9112, 3.2.2), also in X-Forwarded-Host; a peer takes Host',
    explains: ({ aspect }, each) =>
      /^request header (host|x-forwarded-host)$/.test(aspect) && /^https?:/i.test(targetOf(each)),
  },
  {
    name: 'names that mean the same with underscores at HAProxy',
    reason: 'X_Forwarded_For and its like are dropped, as CGI and WSGI read them as X-Forwarded-For',
    explains: ({ aspect, ours }) => /^request header x[_-]forwarded/.test(aspect) && ours === '',
  },
  {
    name: 'bodies with GET in HTTP/1.0 at HAProxy',
    reason: 'are refused there, also with HEAD and DELETE',
    explains: ({ against, aspect, theirs }, each) =>
      against === 'haproxy' &&
      /^(outcome|requests at)/.test(aspect) &&
      /^(refused|0)$/.test(theirs) &&
      each.head[0]!.endsWith('HTTP/1.0') &&
      each.body !== '',
  },
  {
    name: 'Authorization or Expect twice at nginx',
    reason: 'is refused there',
    explains: ({ against, aspect, theirs }, each) =>
      against === 'nginx' &&
      /^(outcome|requests at)/.test(aspect) &&
      /^(refused|0)$/.test(theirs) &&
      ['authorization', 'expect'].some(name => valuesIn(each.head, name).length > 1),
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
    name: 'a broken answer is a 502',
    reason: 'ours holds the answer back until it is whole, and says 502 where others hand on what there is',
    explains: ({ aspect, ours, theirs }, each) =>
      aspect === 'outcome' && ours === 'failed' && /^(answer|refused|hung)/.test(theirs) && oddAnswer(each),
  },
  {
    name: 'live answers, and those that no other endpoint may give, are streamed',
    reason: 'so a broken answer to a POST begins, and is cut',
    explains: ({ aspect, ours }, each) =>
      aspect === 'outcome' &&
      ours.startsWith('answer') &&
      oddAnswer(each) &&
      (!idempotent.test(methodOf(each)) ||
        /event-stream|x-accel-buffering: no/i.test(each.answer.head.join())),
  },
  {
    name: 'a broken answer is cut',
    reason: 'so that the client sees it',
    explains: ({ aspect, ours }, each) =>
      aspect === 'end of the response' && ours === 'cut' && oddAnswer(each),
  },
  {
    name: 'early answers to large bodies',
    reason: 'the rest of the body is not read, and the connection closed',
    explains: ({ aspect, ours }, each) =>
      aspect === 'connection afterwards' &&
      ours === 'closed' &&
      each.answer.when === 'head' &&
      each.body.length > 0,
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
    name: 'codings without a body at HAProxy',
    reason: 'are refused there, also a 101 that closes; ours drops what is of one hop, and nothing is coded',
    explains: ({ against, aspect, ours, theirs }, each) =>
      against === 'haproxy' &&
      aspect === 'outcome' &&
      ours.startsWith('answer') &&
      theirs === 'failed' &&
      sentAnswer(each)?.framing === 'none' &&
      (valuesIn(each.answer.head, 'transfer-encoding').length > 0 ||
        valuesIn(each.answer.head, 'connection').includes('close')),
  },
  {
    name: 'a switch of protocols that stands still',
    reason: 'stays for as long as both sides do (see the limits in the README)',
    explains: ({ aspect, ours }, { head, answer }) =>
      /^(hung|stuck in flight|outcome)$/.test(aspect) &&
      (aspect !== 'outcome' || ours === 'hung') &&
      valuesIn(head, 'upgrade').length > 0 &&
      answer.head[0]!.includes(' 101 ') &&
      answer.after === 'keep',
  },
  {
    name: 'WebSocket keys at HAProxy',
    reason: 'are checked there; ours leaves that to the client (RFC 6455, 4.1)',
    explains: ({ against, aspect, ours, theirs }, each) =>
      against === 'haproxy' &&
      aspect === 'outcome' &&
      ours === 'answer 101' &&
      theirs === 'failed' &&
      valuesIn(each.head, 'sec-websocket-key').length > 0 &&
      valuesIn(each.answer.head, 'sec-websocket-accept').length === 0,
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
    name: 'upgrades take a connection of their own',
    reason: 'also when the endpoint does not switch (see the limits in the README)',
    explains: ({ aspect, ours }, each) =>
      aspect === 'connection afterwards' && ours === 'closed' && valuesIn(each.head, 'upgrade').length > 0,
  },
  {
    name: 'a head of more than maxHeaderBytes',
    reason: 'is refused, which is 16 384 unless told otherwise',
    explains: ({ aspect, ours }, each) =>
      aspect === 'outcome' && ours === 'failed' && answerBytes({ ...each.answer, body: '' }).length >= 16_384,
  },
  {
    name: 'a switch that was not asked for',
    reason: 'is a bad answer; nginx lets it pass',
    explains: ({ aspect, ours }, each) =>
      aspect === 'outcome' && ours === 'failed' && each.answer.head[0]!.includes(' 101 '),
  },
  {
    name: 'odd targets and hosts at the peers',
    reason: 'are refused there',
    explains: ({ against, aspect, theirs }, each) =>
      /^(outcome|requests at)/.test(aspect) &&
      (theirs === 'refused' || theirs === '0') &&
      ((against === 'haproxy' && targetOf(each).includes('#')) ||
        (against === 'nginx' &&
          (valuesIn(each.head, 'host').join() === '' || /\.\.|%2e%2e|%00|%zz|@/.test(targetOf(each))))),
  },
  {
    name: 'interim responses',
    reason: 'ours hands on none (see the limits in the README); the 100 of an Expect is from Node itself',
    explains: aspectIs(/^interim responses$/),
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
  {
    name: 'connections of HTTP/1.0',
    reason: 'Node keeps them only for answers with a length, which is its right',
    explains: ({ aspect }, each) => aspect === 'connection afterwards' && !each.head[0]!.endsWith('HTTP/1.1'),
  },
  {
    name: 'answers until the close',
    reason:
      'ours ends them by a length of its own, so that the connection of the client goes on; so after early ones',
    explains: ({ aspect, ours, theirs }, each) =>
      aspect === 'connection afterwards' &&
      ours === 'served' &&
      theirs === 'closed' &&
      (oddAnswer(each) ||
        sentAnswer(each)?.framing === 'close' ||
        methodOf(each) === 'HEAD' ||
        each.answer.when === 'head' ||
        each.answer.head[0]!.startsWith('HTTP/1.0')),
  },
  {
    name: 'underscores and odd names at nginx',
    reason: 'nginx drops names with other than letters, digits and hyphens unless told otherwise',
    explains: ({ against, aspect, theirs }) =>
      against === 'nginx' && theirs === '' && /^request header .*[^a-z0-9-]/.test(aspect),
  },
  {
    name: 'TRACE and CONNECT',
    reason:
      'nginx refuses both; HAProxy tunnels CONNECT, which no server of Node takes without being told to',
    explains: ({ against, aspect }, each) =>
      /^(outcome|requests at)/.test(aspect) &&
      (methodOf(each) === 'CONNECT' || (against === 'nginx' && methodOf(each) === 'TRACE')),
  },
  {
    name: 'X-Accel at nginx',
    reason: 'nginx obeys these and drops them',
    explains: ({ against }, each) => against === 'nginx' && /x-accel/i.test(each.answer.head.join()),
  },
  {
    name: 'interim responses at the peers',
    reason: 'nginx 1.22 knows none but 100, HAProxy takes few, and a 101 may be the answer',
    explains: ({ aspect }, each) =>
      each.answer.interim.length > 0 && /^(outcome|requests at|end of|response body|connection)/.test(aspect),
  },
  {
    name: 'nginx asks again',
    reason: 'an idle connection that the endpoint has closed is tried anew, and counts twice',
    explains: ({ against, aspect, ours, theirs }) =>
      against === 'nginx' && aspect === reached && ours === '1' && theirs === '2',
  },
  {
    name: 'one of a kind at nginx',
    reason: 'of these headers nginx hands on the last only',
    explains: ({ against, aspect, ours, theirs }) =>
      against === 'nginx' && aspect === 'response header content-type' && ours.endsWith(theirs),
  },
  {
    name: 'absolute targets at HAProxy',
    reason:
      'HAProxy sends the target on as it is, or refuses one of another host; ours uses the form for an origin server (RFC 9112, 3.2.1)',
    explains: ({ against, aspect }, each) =>
      against === 'haproxy' &&
      /^(request line|outcome|requests at)/.test(aspect) &&
      !targetOf(each).startsWith('/'),
  },
  {
    name: 'commas in a host at HAProxy',
    reason: 'its configuration copies what is behind the last one',
    explains: ({ against, aspect, ours, theirs }) =>
      against === 'haproxy' && aspect === 'request header x-forwarded-host' && ours.endsWith(`,${theirs}`),
  },
];

/** Every difference that may be there, and why. What is to be mended comes first. */
export const known: readonly Known[] = [...toMend, ...byDesign];
