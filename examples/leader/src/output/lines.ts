import type { Happening } from '../stage/contender.ts';
import type { Stage } from '../stage/stage.ts';

const done = {
  killed: 'is killed (SIGKILL)',
  stopped: 'is stopped (SIGSTOP): it does not know',
  resumed: 'goes on (SIGCONT), and believes that it leads if it did',
};
const ends = { expired: 'its time is over', taken: 'the store says so', released: 'it gave it back' };

/** What happened, for people; `undefined` for what they see from the rest. */
export function eventLine(contender: number, happening: Happening, { ledger }: Stage): string | undefined {
  const who = `process ${contender}`;
  switch (happening.told) {
    case 'waiting':
    case 'started':
      return undefined;
    case 'leading':
      return `${who} leads, with token ${happening.token}`;
    case 'wrote': {
      const term = ledger.terms.find(({ token }) => token === happening.token);
      if (term?.gapMs === undefined || term.writes > 1) return undefined;
      return `${who} writes ${happening.count}, ${Math.round(term.gapMs)} ms after the last write before`;
    }
    case 'refused':
      return `${who} writes late, with token ${happening.token}: refused, the counter has seen ${happening.seen}`;
    case 'lost':
      return `${who} notices that its lease is over: ${ends[happening.reason]}`;
    case 'trouble':
      return `${who}: ${happening.message}`;
    case 'ended':
      return `${who} has ended: ${happening.how}`;
    default:
      return `${who} ${done[happening.told]}`;
  }
}

/** Everything at a glance, in less than 80 columns; `chosen` is an index. */
export function liveLine({ ledger, contenders }: Stage, chosen: number | undefined): string {
  const states = contenders.map(({ number, state }, at) =>
    at === chosen ? `[${number} ${state}]` : ` ${number} ${state} `,
  );
  // The lines above have the whole token
  const token = ledger.term === undefined ? 'none yet' : `…${String(ledger.term.token).slice(-6)}`;
  return `${states.join('')}  count ${ledger.highest}  refused ${ledger.refused}  token ${token}`;
}
