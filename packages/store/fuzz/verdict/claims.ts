import type { Done } from '../play/history.ts';
import { mayHaveHappened } from './failures.ts';
import { type Event, isExplained } from './order.ts';
import { told, toleranceMs } from './values.ts';

interface Held {
  readonly holder: string | undefined;
  /** Undefined where the answer that had it was lost. */
  readonly token: bigint | undefined;
  /** The greatest token so far. */
  readonly last: bigint;
  readonly earliest: number;
  readonly latest: number;
}

const free: Held = { holder: undefined, token: undefined, last: -1n, earliest: Infinity, latest: Infinity };

/** What contradicts the promises about claims: two holders at once, a token that did not grow, a time out of bounds. */
export function aboutClaims(history: readonly Done[]): string[] {
  const complaints: string[] = [];
  const names = new Set<string>();
  for (const { call, result } of history) {
    if (call.op === 'claim' || call.op === 'release') names.add(call.name);
    if (call.op !== 'claim' || !('claim' in result) || result.claim === undefined) continue;
    const { remainingMs } = result.claim;
    if (!(remainingMs >= 0 && remainingMs <= Math.ceil(call.ttlMs) + 1)) {
      complaints.push(`claims: ${remainingMs} ms remain of ${call.ttlMs}`);
    }
  }
  for (const name of names) {
    const events = history.flatMap(done => eventsOf(done, name));
    const nameOf = (state: Held) => `${state.holder} ${Object.values(state).join(' ')}`;
    if (isExplained(events, free, nameOf)) continue;
    complaints.push(`claims: no order explains what happened to name ${JSON.stringify(name)}
${told(events)}`);
  }
  return complaints;
}

function eventsOf(done: Done, name: string): Event<Held>[] {
  const { call, sent, sentAt: from, endedAt, result } = done;
  if ((call.op !== 'claim' && call.op !== 'release') || call.name !== name) return [];
  const isOptional = 'error' in result || 'unsettled' in result;
  if (isOptional && !mayHaveHappened(done)) return [];
  const to = isOptional ? Infinity : endedAt;
  const isHeld = ({ holder, latest }: Held) => holder !== undefined && from <= latest;
  const mayBeFree = ({ holder, earliest }: Held) => holder === undefined || to >= earliest;
  const freed = ({ last }: Held): Held => ({ ...free, last });
  const event = (text: string, after: Event<Held>['after']): Event<Held>[] => [
    { told: text, from, to, isOptional, after },
  ];
  if (call.op === 'release') {
    const fits = (state: Held) =>
      isHeld(state) &&
      (state.token === sent.token || (state.token === undefined && sent.token! > state.last));
    const mayDiffer = (state: Held) => state.token !== sent.token;
    if (isOptional) return event(`release ${sent.token}`, state => (fits(state) ? [freed(state)] : []));
    const did = 'did' in result && result.did;
    return event(`release ${sent.token}: ${did}`, state => {
      if (did) return fits(state) ? [freed(state)] : [];
      return [...(mayBeFree(state) ? [freed(state)] : []), ...(mayDiffer(state) ? [state] : [])];
    });
  }
  const { holder, ttlMs } = call;
  const times = { earliest: from + ttlMs - toleranceMs, latest: to + Math.ceil(ttlMs) + toleranceMs };
  const above = sent.above ?? -1n;
  const shown = `${JSON.stringify(holder)} for ${ttlMs}${sent.above === undefined ? '' : ` above ${above}`}`;
  if (isOptional) {
    return event(`claim by ${shown}`, state => {
      const states: Held[] = [];
      if (isHeld(state) && state.holder === holder && (state.token === undefined || state.token > above)) {
        states.push({ ...state, ...times });
      }
      if (
        mayBeFree(state) ||
        (state.holder === holder && (state.token === undefined || state.token <= above))
      ) {
        states.push({ ...state, holder, token: undefined, ...times });
      }
      return states;
    });
  }
  const claim = 'claim' in result ? result.claim : undefined;
  if (claim === undefined) {
    return event(`claim by ${shown}: another holds it`, state =>
      isHeld(state) && state.holder !== holder ? [state] : [],
    );
  }
  const { token } = claim;
  return event(`claim by ${shown}: ${token}`, state => {
    if (token <= above) return [];
    const next: Held = { holder, token, last: token, ...times };
    const isOwn = isHeld(state) && state.holder === holder;
    if (isOwn && state.token === token) return [next];
    if (token <= state.last) return [];
    if (isOwn && (state.token === undefined || state.token <= above)) return [next];
    return mayBeFree(state) ? [next] : [];
  });
}
