import { STATUS_CODES } from 'node:http';
import { answerBytes, methodOf, valuesIn } from '../case.ts';
import { aspectIs, type Known } from '../verdict/difference.ts';
import { isIdempotent, oddAnswer, sentAnswer, sentRequest } from '../verdict/sent.ts';
import { requestBufferBytes } from '../wire/subjects.ts';

/** What ours does with the answers of endpoints, and why the peers differ. */
export const answers: readonly Known[] = [
  {
    name: 'the length in a 204 or 101',
    reason: 'is dropped (RFC 9110, 8.6); nginx sends it on',
    explains: ({ aspect, ours }, each) =>
      aspect === 'response header content-length' && ours === '' && / (204|101) /.test(each.answer.head[0]!),
  },
  {
    name: 'standard reason phrases',
    reason: 'replace those that are long or not of printable ASCII',
    explains: ({ aspect, ours }, each) =>
      aspect === 'reason phrase' && ours === STATUS_CODES[each.answer.head[0]!.split(' ')[1]!],
  },
  {
    name: 'a broken answer is a 502',
    reason: 'ours holds the answer back until it is whole, and says 502 where others hand on what there is',
    explains: ({ aspect, ours, theirs }, each) =>
      aspect === 'outcome' && ours === 'failed' && /^(answer|refused|hung)/.test(theirs) && oddAnswer(each),
  },
  {
    name: 'live answers, and those that no other endpoint may give, are streamed',
    reason: 'so a broken answer to a POST, or to a body that was too long to keep, begins, and is cut',
    explains: ({ aspect, ours }, each) =>
      aspect === 'outcome' &&
      ours.startsWith('answer') &&
      oddAnswer(each) &&
      (!isIdempotent(each) ||
        (sentRequest(each)?.body.length ?? 0) > requestBufferBytes ||
        /event-stream|x-accel-buffering: no/i.test(each.answer.head.join())),
  },
  {
    name: 'a broken answer is cut',
    reason: 'so that the client sees it',
    explains: ({ aspect, ours }, each) =>
      aspect === 'end of the response' && ours === 'cut' && oddAnswer(each),
  },
  {
    name: 'a reset right behind a large answer',
    reason: 'may overtake its last bytes; what was lost so shows as a cut',
    explains: ({ aspect, ours }, each) =>
      aspect === 'end of the response' && ours === 'cut' && each.answer.after === 'reset',
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
    name: 'interim responses',
    reason: 'ours hands on none (see the limits in the README); the 100 of an Expect is from Node itself',
    explains: aspectIs(/^interim responses$/),
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
];
