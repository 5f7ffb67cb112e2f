import { answerBytes, type Case, methodOf, requestBytes, valuesIn } from '../case.ts';
import { type Message, readMessage } from '../wire/message.ts';

/** What a plain reader makes of what the client sends, as far as it comes; undefined if its head does not. */
export function sentRequest(each: Case): Message | undefined {
  return readMessage(requestBytes(each).slice(0, each.cut?.at), 0, { request: true });
}

/** The same of what the endpoint sends, without 1xx responses before it. */
export function sentAnswer(each: Case): Message | undefined {
  const bytes = answerBytes(each.answer).slice(0, each.answer.cut?.at);
  const side = { request: false, method: methodOf(each) } as const;
  for (let at = 0; ; ) {
    const message = readMessage(bytes, at, side);
    if (message === undefined || !/^HTTP\/1.1 10[02-9]/.test(message.line)) return message;
    at = message.end;
  }
}

/** Whether that is a whole response, be it framed by the close of the connection. */
export function endsWell({ answer }: Case, sent: Message | undefined): boolean {
  if (sent === undefined) return false;
  return sent.complete || (sent.framing === 'close' && (answer.cut?.how ?? answer.after) === 'end');
}

/** Whether an endpoint's answer breaks a rule or off. */
export function oddAnswer(each: Case): boolean {
  const answer = sentAnswer(each);
  return (
    answer === undefined ||
    !endsWell(each, answer) ||
    answer.flaws.length > 0 ||
    otherCodings(each.answer.head)
  );
}

export function isIdempotent(each: Case): boolean {
  return /^(GET|HEAD|OPTIONS|TRACE|PUT|DELETE)$/.test(methodOf(each));
}

/** What a client may not send (RFC 9110, 9112), by a word for each; empty for a request that has to be taken. */
export function oddities(each: Case): string[] {
  const request = sentRequest(each);
  if (request === undefined) return ['head'];
  const found = [...request.flaws];
  if (!request.complete) found.push('cut');
  const hosts = valuesIn(each.head, 'host');
  const old = / HTTP\/1\.0$/.test(each.head[0]!);
  if (hosts.length > 1 || (hosts.length === 0 && !old) || !hosts.every(host => validHost.test(host))) {
    found.push('host');
  }
  if (otherCodings(each.head)) found.push('codings');
  if (old && valuesIn(each.head, 'transfer-encoding').length > 0) found.push('codings in HTTP/1.0');
  if (valuesIn(each.head, 'expect').some(value => value.toLowerCase() !== '100-continue'))
    found.push('expect');
  if (request.complete && request.end < requestBytes(each).length) found.push('more than the request');
  if (requestBytes({ head: each.head, body: '' }).length > longestHead) found.push('long head');
  return found;
}

const validHost = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(:\d*)?$/;

/** As servers of Node have it. */
const longestHead = 16_000;

/** Whether a transfer coding other than chunked alone is named. */
export function otherCodings(lines: readonly string[]): boolean {
  const codings = valuesIn(lines, 'transfer-encoding');
  return codings.length > 0 && codings.join().toLowerCase() !== 'chunked';
}
