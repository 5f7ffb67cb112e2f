import { methodOf, targetOf, valuesIn } from '../case.ts';
import { type Known, reached } from '../verdict/difference.ts';
import { sentAnswer } from '../verdict/sent.ts';

/** What the peers do in ways of their own. */
export const peers: readonly Known[] = [
  {
    name: 'zeros before a length at nginx',
    reason: 'are dropped there; the number is the same',
    explains: ({ aspect, ours, theirs }) =>
      aspect === 'response header content-length' && ours !== '' && Number(ours) === Number(theirs),
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
    name: 'the close of the client at HAProxy',
    reason: 'a client that names close gets it; HAProxy may serve on when the body came late',
    explains: ({ against, aspect, ours, theirs }, each) =>
      against === 'haproxy' &&
      aspect === 'connection afterwards' &&
      ours === 'closed' &&
      theirs === 'served' &&
      valuesIn(each.head, 'connection').join().toLowerCase().includes('close'),
  },
  {
    name: 'nginx asks again',
    reason:
      'an idle connection that the endpoint has closed is tried anew, each of those that it keeps in turn',
    explains: ({ against, aspect, ours, theirs }) =>
      against === 'nginx' && aspect === reached && ours === '1' && Number(theirs) > 1,
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
