import { seededRandom } from '@ashlar/core';
import { answerBytes, type Case, requestBytes } from '../case.ts';
import { answerQuirks } from './answers.ts';
import { bare, byLength, Choose, type Draft, type Quirks } from './draft.ts';
import { requestQuirks } from './requests.ts';

const times: Quirks = {
  'client cut': (draft, choose) => {
    draft.cut = { part: choose.part(), how: choose.of('end', 'reset') };
  },
  'client pauses': (draft, choose) => {
    draft.pause = choose.part();
  },
  'client leaves': (draft, choose) => {
    draft.leave = choose.part();
  },
  pipelined: draft => {
    draft.pipelined = true;
  },
  'answer cut': (draft, choose) => {
    draft.answerCut = { part: choose.part(), how: choose.of('end', 'reset') };
  },
  'answer pauses': (draft, choose) => {
    draft.answerPause = choose.part();
  },
  'early answer': (draft, choose) => {
    draft.when = 'head';
    draft.after = choose.of('keep', 'end', 'reset');
  },
  'no answer': (draft, choose) => {
    draft.when = choose.often(0.1) ? 'never' : 'request';
  },
  'endpoint closes': (draft, choose) => {
    draft.after = choose.of('end', 'reset');
    if (choose.often(0.5)) draft.answerLines.push('Connection: close');
  },
};

/** The case of that number; equal numbers of equal seeds are equal cases. */
export function caseOf(seed: number, index: number): Case {
  const choose = new Choose(seededRandom(Math.imul(seed, 0x9e3779b1) + index));
  const draft = plain();
  const quirks = [
    ...apply(requestQuirks, choose.of(0, 1, 1, 1, 2), draft, choose),
    ...apply(answerQuirks, choose.of(0, 0, 1, 1, 2), draft, choose),
    ...apply(times, choose.of(0, 0, 0, 1, 1, 2), draft, choose),
  ];
  return { quirks, ...made(draft) };
}

/** All that the grammar can do. */
export const quirkNames: readonly string[] = [requestQuirks, answerQuirks, times].flatMap(each =>
  Object.keys(each),
);

function apply(quirks: Quirks, count: number, draft: Draft, choose: Choose): string[] {
  const names = Array.from({ length: count }, () => choose.of(...Object.keys(quirks)));
  for (const name of names) quirks[name]!(draft, choose);
  return names;
}

function plain(): Draft {
  return {
    method: 'GET',
    target: '/a?b=c',
    version: 'HTTP/1.1',
    lines: ['Host: shop.test', 'X-End: 1'],
    body: '',
    framing: bare,
    cut: undefined,
    pause: undefined,
    leave: undefined,
    pipelined: false,
    interim: [],
    status: 'HTTP/1.1 200 OK',
    answerLines: ['Content-Type: text/plain'],
    answerBody: 'the body of the answer',
    answerFraming: byLength,
    when: 'request',
    answerCut: undefined,
    answerPause: undefined,
    after: 'keep',
  };
}

function made(draft: Draft): Omit<Case, 'quirks'> {
  const framed = draft.framing(draft.body);
  const line = [draft.method, draft.target, draft.version].filter(part => part !== '').join(' ');
  const head = [line, ...draft.lines, ...framed.lines];
  const bytes = requestBytes({ head, body: framed.bytes }).length;
  const answered = draft.answerFraming(draft.answerBody);
  const answer = {
    interim: draft.interim,
    head: [draft.status, ...draft.answerLines, ...answered.lines],
    body: answered.bytes,
    when: draft.when,
    after: draft.after,
  };
  const answerLength = answerBytes(answer).length;
  const { cut, pause, leave, answerCut, answerPause } = draft;
  const at = (part: number, length: number) => Math.floor(part * length);
  return {
    head,
    body: framed.bytes,
    pipelined: draft.pipelined,
    ...(cut && { cut: { at: at(cut.part, bytes), how: cut.how } }),
    ...(pause !== undefined && { pauseAt: at(pause, bytes) }),
    ...(leave !== undefined && { leaveAt: 1 + at(leave, answerLength) }),
    answer: {
      ...answer,
      ...(answerCut && { cut: { at: at(answerCut.part, answerLength), how: answerCut.how } }),
      ...(answerPause !== undefined && { pauseAt: at(answerPause, answerLength) }),
    },
  };
}
