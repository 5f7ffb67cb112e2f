import { type Answer, answerBytes, type Case, methodOf, requestBytes } from './case.ts';
import { readMessage } from './wire/message.ts';

/**
 * A smaller case for which `fails` still holds: parts are left out, one after the other, until none can be.
 *
 * @param steps how often `fails` is asked at most; also it ends after some seconds
 */
export async function shrink(
  each: Case,
  fails: (smaller: Case) => Promise<boolean>,
  steps = 150,
): Promise<Case> {
  let smallest = each;
  let left = steps;
  const until = performance.now() + withinMs;
  for (let progress = true; progress; ) {
    progress = false;
    for (const smaller of smallerThan(smallest)) {
      if (left <= 0 || performance.now() > until) return smallest;
      if (endless(smaller) && !endless(each)) continue;
      left--;
      if (!(await fails(smaller))) continue;
      smallest = smaller;
      progress = true;
      break;
    }
  }
  return smallest;
}

/** Whether one side waits in vain for the other, until a time is over. */
function endless(each: Case): boolean {
  const { answer } = each;
  const request = readMessage(requestBytes(each), 0, { request: true });
  if (request?.complete !== true && each.cut === undefined && each.leaveAt === undefined) return true;
  if (answer.when === 'never') return true;
  const sent = readMessage(answerBytes(answer), 0, { request: false, method: methodOf(each) });
  return sent?.complete !== true && answer.cut === undefined && answer.after === 'keep';
}

const withinMs = 8_000;

const plainAnswer: Answer = {
  interim: [],
  head: ['HTTP/1.1 200 OK', 'Content-Length: 2'],
  body: 'ok',
  when: 'request',
  after: 'keep',
};

function* smallerThan(each: Case): Generator<Case> {
  const { cut, pauseAt, leaveAt, answer, ...rest } = each;
  const timed = { cut, pauseAt, leaveAt };
  if (JSON.stringify(answer) !== JSON.stringify(plainAnswer)) yield { ...each, answer: plainAnswer };
  for (const key of ['cut', 'pauseAt', 'leaveAt'] as const) {
    if (timed[key] !== undefined) yield { ...rest, ...present({ ...timed, [key]: undefined }), answer };
  }
  if (each.pipelined) yield { ...each, pipelined: false };
  for (const head of fewer(each.head)) yield { ...each, head };
  for (const body of shorter(each.body)) yield { ...each, body };
  for (const smaller of smallerAnswers(answer)) yield { ...each, answer: smaller };
}

function* smallerAnswers(answer: Answer): Generator<Answer> {
  const { cut, pauseAt, ...rest } = answer;
  if (cut !== undefined) yield { ...rest, ...present({ pauseAt }) };
  if (pauseAt !== undefined) yield { ...rest, ...present({ cut }) };
  if (answer.interim.length > 0) yield { ...answer, interim: answer.interim.slice(1) };
  if (answer.after !== 'keep') yield { ...answer, after: 'keep' };
  if (answer.when === 'head') yield { ...answer, when: 'request' };
  for (const head of fewer(answer.head)) yield { ...answer, head };
  for (const body of shorter(answer.body)) yield { ...answer, body };
}

/** All but the first line, which is needed, may go: half of them, or one. */
function* fewer([first, ...lines]: readonly string[]): Generator<string[]> {
  for (let size = Math.ceil(lines.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < lines.length && at / size < 8; at += size) {
      yield [first!, ...lines.slice(0, at), ...lines.slice(at + size)];
    }
  }
}

function* shorter(text: string): Generator<string> {
  if (text.length > 0) yield '';
  if (text.length > 1) yield text.slice(0, text.length >> 1);
}

/** Without what is undefined. */
function present<T extends object>(parts: T): { [K in keyof T]: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)) as never;
}
