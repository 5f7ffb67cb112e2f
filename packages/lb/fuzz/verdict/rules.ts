import { answerBytes, type Case, marker, methodOf, targetOf, valuesIn } from '../case.ts';
import { type Message, valuesOf } from '../wire/message.ts';
import type { Observation } from '../wire/observe.ts';
import { outcomeOf, requestsOf } from './comparison.ts';
import { type Difference, reached } from './difference.ts';
import { endsWell, oddities, otherCodings, sentAnswer, sentRequest } from './sent.ts';

/** What our proxy promises or RFC 9110 and 9112 ask of any; what of it a case broke. */
export function brokenRules(each: Case, seen: Observation): Difference[] {
  const found: Difference[] = [];
  const broken = (aspect: string, ours: string, theirs: string) => {
    found.push({ against: 'rule', aspect, ours, theirs });
  };
  if (seen.received.end === 'hung')
    broken('hung', 'neither an answer nor an end', 'an end within the times set');
  if (seen.stuck) broken('stuck in flight', 'a request in flight', 'none once the client is gone');
  // What was sent on the same connection before the endpoint closed it may fail with it
  const closing = each.pipelined && (each.answer.after !== 'keep' || each.answer.cut !== undefined);
  if (seen.reuse === 'wrong' || (seen.reuse === 'failed' && !closing))
    broken('the next request', seen.reuse, 'served or closed');
  if (seen.others !== 'served') broken('the next client', seen.others, 'served');
  requestRules(each, seen, broken);
  answerRules(each, seen, broken);
  return found;
}

type Broken = (aspect: string, ours: string, theirs: string) => void;

function requestRules(each: Case, seen: Observation, broken: Broken): void {
  const requests = requestsOf(seen);
  const sent = sentRequest(each);
  for (const request of requests) {
    if (request.line.includes('/smuggled')) broken('smuggling', request.line, 'part of a body');
    for (const flaw of request.flaws) broken(`malformed request: ${flaw}`, request.line, 'well-formed');
    const hosts = valuesOf(request, 'host').length;
    if (hosts !== 1) broken('malformed request: host', `${hosts} of them`, 'one Host');
  }
  if (requests.length > 1) broken(reached, `${requests.length}`, 'one');
  const [request] = requests;
  if (request === undefined) return;
  if (sent?.complete !== true) broken('cut request', 'whole', 'not whole');
  else if (sent.flaws.length === 0 && sent.body !== request.body)
    broken('request body', request.body, sent.body);
  for (const oddity of oddities(each)) broken(`taken: ${oddity}`, request.line, 'refused');
  if (valuesIn(each.head, 'x-end').length > valuesOf(request, 'x-end').length) {
    broken('lost header', 'no x-end', 'all of the head');
  }
  hopRules(each, request, broken);
}

function hopRules(each: Case, request: Message, broken: Broken): void {
  const target = targetOf(each);
  const path = pathOf(target);
  const sentOn = request.line.split(' ').slice(1, -1).join(' ');
  if (path !== undefined && sentOn !== path) broken('request target', sentOn, path);
  const authority = /^http:\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(target)?.[1];
  const host = valuesOf(request, 'host').join();
  if (authority !== undefined && host !== authority) broken('host of an absolute target', host, authority);
  const named = valuesIn(each.head, 'connection').join().toLowerCase().split(',');
  for (const name of named.map(part => part.trim())) {
    if (neverDropped.has(name)) continue;
    const values = valuesOf(request, name);
    if (values.length > 0) broken('named in Connection', `${name}: ${values}`, 'dropped');
  }
  for (const [name, value] of request.headers) {
    const told = name.toLowerCase().replaceAll('_', '-');
    const expected = { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' }[told];
    if (expected !== undefined && value !== expected) broken('forwarded', `${name}: ${value}`, expected);
    if (/^(x-forwarded-port|forwarded)$/.test(told)) broken('forwarded', `${name}: ${value}`, 'dropped');
    if (told === 'x-forwarded-host' && name.includes('_'))
      broken('forwarded', `${name}: ${value}`, 'dropped');
  }
  const forwards = valuesIn(each.head, 'max-forwards')[0];
  if (/^(TRACE|OPTIONS)$/.test(methodOf(each)) && forwards === '0')
    broken('Max-Forwards: 0', 'sent on', 'answered');
}

/** The target for an origin server (RFC 9112, 3.2); undefined where it has none. */
function pathOf(target: string): string | undefined {
  if (target.startsWith('/')) return target;
  if (target === '*') return target;
  const rest = /^https?:\/\/[^/?#]*(.*)$/i.exec(target)?.[1];
  return rest?.startsWith('/') === false ? `/${rest}` : rest;
}

/** What the proxy sets itself, and options of a connection that are no headers. */
const neverDropped = new Set([
  '',
  'close',
  'keep-alive',
  'host',
  'upgrade',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'content-length',
  'transfer-encoding',
]);

/** Of an answer; the usual one. */
const maxHeaderBytes = 16_384;

function answerRules(each: Case, seen: Observation, broken: Broken): void {
  const { response, end } = seen.received;
  const method = methodOf(each);
  const sent = sentAnswer(each);
  const wholly = sent !== undefined && endsWell(each, sent);
  const closing = each.pipelined && each.answer.after !== 'keep';
  const asked = !closing && each.answer.when === 'request';
  const innocent = asked && wholly && sent.flaws.length === 0;
  const status = Number(sent?.line.split(' ')[1]);
  const short = answerBytes({ ...each.answer, body: '' }).length < maxHeaderBytes;
  const coded = otherCodings(each.answer.head) && sent?.framing !== 'none';
  const well =
    short &&
    !coded &&
    status !== 101 &&
    /^HTTP\/1\.[01] [1-4]\d\d( |$)/.test(sent?.line ?? '') &&
    status !== 429;
  if (innocent && well && seen.blamed > 0) broken('blame', `${seen.blamed} failures`, 'none');
  if (innocent && well && outcomeOf(seen) === 'failed') broken('answer', 'failed', 'handed on');
  if (response === undefined) return;
  for (const flaw of response.flaws) broken(`malformed response: ${flaw}`, response.line, 'well-formed');
  if (/ HTTP\/1\.0$/.test(each.head[0]!) && response.framing === 'chunked') {
    broken('chunked to HTTP/1.0', 'chunked', 'by length or close');
  }
  if (/ (204|101) /.test(response.line) && valuesOf(response, 'content-length').length > 0) {
    broken('length in a 204 or 101', valuesOf(response, 'content-length').join(), 'none');
  }
  if (!outcomeOf(seen).startsWith('answer') || (end !== 'whole' && end !== 'ended')) return;
  if (valuesOf(response, marker).length > 1) broken('answers in one', response.line, 'one answer');
  if (!wholly) broken('cut response', end, 'the client sees that it is cut');
  if (!wholly || sent.flaws.length > 0) return;
  if (coded) broken('dropped codings', 'an answer', '502');
  const [reason, sentReason] = [response, sent].map(({ line }) => line.split(' ').slice(2).join(' '));
  if (sentReason !== '' && reason !== sentReason) broken('reason phrase', reason!, sentReason!);
  const sentBody = status === 101 ? each.answer.body.slice(0, response.body.length) : sent.body;
  if (response.body !== sentBody && method !== 'HEAD') broken('response body', response.body, sentBody);
  const [cookies, sentCookies] = [response, sent].map(each => valuesOf(each, 'set-cookie').join(' | '));
  const kept = !valuesIn(each.answer.head, 'connection').join().toLowerCase().includes('set-cookie');
  if (kept && cookies !== sentCookies) broken('cookies', cookies!, sentCookies!);
}
