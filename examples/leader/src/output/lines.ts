import type { ContenderEvent } from '../election/contender.ts';
import type { Election } from '../election/election.ts';

const done = {
  killed: 'is killed (SIGKILL)',
  stopped: 'is stopped (SIGSTOP): it does not know',
  resumed: 'goes on (SIGCONT), and believes that it leads if it did',
};
const ends = { expired: 'its time is over', taken: 'the store says so', released: 'it gave it back' };

/** An event in words; `undefined` for one that other lines make plain. */
export function eventLine(
  contender: number,
  event: ContenderEvent,
  { ledger }: Election,
): string | undefined {
  const who = `process ${contender}`;
  switch (event.type) {
    case 'waiting':
    case 'started':
      return undefined;
    case 'leading':
      return `${who} leads, with token ${event.token}`;
    case 'wrote': {
      const term = ledger.terms.find(({ token }) => token === event.token);
      if (term?.gapMs === undefined || term.writes > 1) return undefined;
      return `${who} writes ${event.count}, ${Math.round(term.gapMs)} ms after the last write before`;
    }
    case 'refused':
      return `${who} writes late, with token ${event.token}: refused, the counter has seen ${event.seen}`;
    case 'lost':
      return `${who} notices that its lease is over: ${ends[event.reason]}`;
    case 'error':
      return `${who}: ${event.message}`;
    case 'ended':
      return `${who} has ended: ${event.how}`;
    default:
      return `${who} ${done[event.type]}`;
  }
}

/** Everything at a glance, in less than 80 columns; `chosen` is an index. */
export function liveLine({ ledger, contenders }: Election, chosen: number | undefined): string {
  const states = contenders.map(({ number, state }, at) =>
    at === chosen ? `[${number} ${state}]` : ` ${number} ${state} `,
  );
  // The lines above have the whole token
  const token = ledger.term === undefined ? 'none yet' : `…${String(ledger.term.token).slice(-6)}`;
  return `${states.join('')}  count ${ledger.highest}  refused ${ledger.refused}  token ${token}`;
}
