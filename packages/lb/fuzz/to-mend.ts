import { valuesIn } from './case.ts';
import type { Difference, Known } from './verdict/difference.ts';
import { oddities, otherCodings, sentAnswer } from './verdict/sent.ts';

/** What a good answer becomes that ours does not understand, by the rules and beside the peers. */
function refuses({ aspect, ours, theirs }: Difference): boolean {
  if (aspect === 'outcome') return ours === 'failed' && theirs.startsWith('answer');
  return aspect === 'blame' || aspect === 'answer';
}

/** A request that ours takes and should not, by the rules and beside the peers that refuse it. */
function takes(oddity: string): Known['explains'] {
  return ({ aspect, ours, theirs }, each) =>
    aspect === `taken: ${oddity}` ||
    (oddities(each).includes(oddity) &&
      ((aspect === 'outcome' && ours !== 'refused' && theirs === 'refused') ||
        (aspect === 'requests at the endpoint' && ours === '1' && theirs === '0')));
}

/** Faults that are known; an entry goes when its fault is mended. */
export const toMend: readonly Known[] = [
  {
    name: 'a 100 that was not asked for',
    toMend: true,
    reason:
      'must be discarded (RFC 9110, 15.2); undici takes it for a bad response, and the endpoint is blamed',
    explains: (difference, each) =>
      refuses(difference) && each.answer.interim.some(([line]) => / 10[01] /.test(line!)),
  },
  {
    name: 'a reset that looks like an end',
    toMend: true,
    reason:
      'undici takes a reset for the end of an answer that lasts until the connection closes (RFC 9112, 8)',
    explains: ({ aspect, ours }, each) =>
      /^(cut response|end of the response|outcome|response body)$/.test(aspect) &&
      (aspect === 'response body' || /^(whole|ended|answer)/.test(ours)) &&
      sentAnswer(each)?.framing === 'close' &&
      (each.answer.cut?.how ?? each.answer.after) === 'reset',
  },
  {
    name: 'cut answers to HTTP/1.0',
    toMend: true,
    reason: 'end with the connection, which must be reset for the client to see that they are cut',
    explains: ({ aspect, ours }, each) =>
      each.head[0]!.endsWith('HTTP/1.0') &&
      (aspect === 'cut response' || (aspect === 'end of the response' && ours === 'whole')),
  },
  {
    name: 'other codings of an answer',
    toMend: true,
    reason:
      'are dropped, and the client takes what is coded for plain; 502, as nothing here can decode (RFC 9112, 6.1)',
    explains: ({ aspect }, each) =>
      otherCodings(each.answer.head) &&
      /^(dropped codings|outcome|response body|end of|connection)/.test(aspect),
  },
  {
    name: 'other codings of a request',
    toMend: true,
    reason: 'are dropped, and the endpoint takes what is coded for plain; 501 (RFC 9112, 6.1)',
    explains: takes('codings'),
  },
  {
    name: 'no coding at all',
    toMend: true,
    reason: 'an empty Transfer-Encoding is taken for one without a body; 400',
    explains: takes('coding'),
  },
  {
    name: 'targets that are changed',
    toMend: true,
    reason:
      'path and query of an absolute target are to be sent on byte by byte, an empty path as / (RFC 9112, 3.2)',
    explains: ({ aspect }, each) => /^request (target|line)$/.test(aspect) && !each.head[0]!.includes(' /'),
  },
  {
    name: 'reason phrases that come in pieces',
    toMend: true,
    reason: 'undici keeps only the last piece, as one ends with each read; dropped or whole',
    explains: ({ aspect, ours, theirs }) => aspect === 'reason phrase' && theirs.endsWith(ours),
  },
  {
    name: 'more than 1 000 lines in the answer to an upgrade',
    toMend: true,
    reason: 'Node drops the rest; 502 instead',
    explains: ({ aspect }, each) =>
      each.answer.head.length > 990 &&
      valuesIn(each.head, 'upgrade').length > 0 &&
      !/^(hung|stuck)/.test(aspect),
  },
  {
    name: 'codings in HTTP/1.0',
    toMend: true,
    reason: 'its framing is to be taken for faulty (RFC 9112, 6.1); 400',
    explains: takes('codings in HTTP/1.0'),
  },
  {
    name: 'versions other than HTTP/1.x',
    toMend: true,
    reason: '505 or 400: Node takes HTTP/2.0, and none as HTTP/0.9 with headers',
    explains: (difference, each) =>
      !/ HTTP\/1\.[01]$/.test(each.head[0]!) &&
      (takes('start line')(difference, each) || /^request (header |body)/.test(difference.aspect)),
  },
  {
    name: 'more than 1 000 lines in a head',
    toMend: true,
    reason: 'Node drops the rest, and with it the framing of the body: 431 instead',
    explains: ({ aspect }, each) =>
      each.head.length > 990 && !/^(hung|stuck|smuggling|cut response)/.test(aspect),
  },
  {
    name: 'an upgrade with a body',
    toMend: true,
    reason:
      'is refused; a server may ignore Upgrade (RFC 9110, 7.8), so it can be sent on as a plain request',
    explains: ({ aspect, ours }, each) =>
      valuesIn(each.head, 'upgrade').length > 0 &&
      each.body !== '' &&
      ((aspect === 'outcome' && ours === 'refused') ||
        (aspect === 'requests at the endpoint' && ours === '0')),
  },
  {
    name: 'odd numbers in the answer to an upgrade',
    toMend: true,
    reason: 'a status of two digits is sent on; 502 instead',
    explains: ({ aspect }, each) =>
      valuesIn(each.head, 'upgrade').length > 0 && aspect === 'malformed response: start line',
  },
  {
    name: 'a refused upgrade that is cut',
    toMend: true,
    reason: 'the answer is sent on until the connection closes, so that the client takes a cut one for whole',
    explains: ({ aspect, ours }, each) =>
      valuesIn(each.head, 'upgrade').length > 0 &&
      (aspect === 'cut response' || (/^(end of|outcome)/.test(aspect) && /^answer|^whole|^cut/.test(ours))),
  },
  {
    name: 'a switch of protocols that stands still',
    toMend: true,
    reason:
      'after 101 there is no limit of time (see the limits in the README), also when the client has gone',
    explains: ({ aspect, ours }, each) =>
      /^(hung|stuck in flight|outcome)$/.test(aspect) &&
      (aspect !== 'outcome' || ours === 'hung') &&
      valuesIn(each.head, 'upgrade').length > 0,
  },
];
