import { type Case, marker } from '../case.ts';
import { type Message, valuesOf } from '../wire/message.ts';
import type { Observation } from '../wire/observe.ts';
import type { PeerName } from '../wire/subjects.ts';
import { type Difference, reached } from './difference.ts';

/** How a case ended for the client; what a proxy says itself is told apart from what the endpoint said. */
export function outcomeOf({ received: { response, end } }: Observation): string {
  if (end === 'hung') return 'hung';
  if (response === undefined) return 'refused';
  const status = response.line.split(' ')[1] ?? '';
  if (valuesOf(response, marker).length > 0) return `answer ${status}`;
  return /^50[0234]$/.test(status) ? 'failed' : 'refused';
}

/** Whole requests at the endpoint that are no probes. */
export function requestsOf({ heard }: Observation): readonly Message[] {
  return heard.flatMap(({ requests }) => requests).filter(({ line }) => !line.includes('/probe-'));
}

/** How ours differs from another proxy over the same bytes. */
export function differencesFrom(
  against: PeerName,
  each: Case,
  ours: Observation,
  theirs: Observation,
): Difference[] {
  const found: Difference[] = [];
  const compare = (aspect: string, mine: string, other: string) => {
    if (mine !== other) found.push({ against, aspect, ours: mine, theirs: other });
  };
  // What a client that leaves has seen, and an early answer leaves of the request, is a matter of moments
  if (each.leaveAt === undefined && each.answer.when !== 'head') {
    compareEndpoint(ours, theirs, compare);
  }
  if (each.leaveAt === undefined && each.cut?.how !== 'reset') compareClient(ours, theirs, compare);
  return found;
}

type Compare = (aspect: string, mine: string, other: string) => void;

function compareEndpoint(ours: Observation, theirs: Observation, compare: Compare): void {
  const [mine, other] = [requestsOf(ours), requestsOf(theirs)];
  compare(reached, `${mine.length}`, `${other.length}`);
  const [a, b] = [mine[0], other[0]];
  if (a === undefined || b === undefined) return;
  // Each speaks the version that it speaks
  compare('request line', ...([a, b].map(({ line }) => line.replace(/ HTTP.*$/, '')) as [string, string]));
  compare('request body', a.body, b.body);
  compareHeaders('request', a, b, compare);
}

function compareClient(ours: Observation, theirs: Observation, compare: Compare): void {
  const [mine, other] = [outcomeOf(ours), outcomeOf(theirs)];
  compare('outcome', mine, other);
  const [a, b] = [ours.received.response, theirs.received.response];
  if (mine !== other || !mine.startsWith('answer') || a === undefined || b === undefined) return;
  compare('interim responses', ours.received.interim.join(), theirs.received.interim.join());
  const [reason, otherReason] = [a, b].map(({ line }) => line.split(' ').slice(2).join(' ').trim());
  if (reason !== '' && otherReason !== '') compare('reason phrase', reason!, otherReason!);
  const [end, otherEnd] = [wholeOrCut(ours), wholeOrCut(theirs)];
  compare('end of the response', end, otherEnd);
  if (end === otherEnd) {
    if (end === 'whole') compare('response body', a.body, b.body);
    compare('connection afterwards', ours.reuse, theirs.reuse);
  }
  compareHeaders('response', a, b, compare);
}

function wholeOrCut({ received: { end } }: Observation): string {
  return end === 'ended' ? 'whole' : end;
}

/** What is about one connection, or made by each proxy in its own way. */
const ofOneConnection = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date', 'server']);

function compareHeaders(whose: string, a: Message, b: Message, compare: Compare): void {
  const names = new Set([...a.headers, ...b.headers].map(([name]) => name.toLowerCase()));
  for (const name of names) {
    if (ofOneConnection.has(name)) continue;
    // How a body is framed is for each connection; without one the length tells of another
    if (name === 'content-length' && a.framing !== 'none' && b.framing !== 'none') continue;
    compare(`${whose} header ${name}`, valuesOf(a, name).join(' | '), valuesOf(b, name).join(' | '));
  }
}
