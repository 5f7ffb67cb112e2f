import { AshlarError } from '@ashlar/core';
import type { Contender } from './contender.ts';
import type { Election } from './election.ts';
import type { Term } from './ledger.ts';

/** A step of the script did not come about. */
class ScriptError extends AshlarError {
  static override readonly code: string = 'LEADER_SCRIPT';
}

const rounds = 8;
const someWrites = 5;

/**
 * Lets one lead, kills it; stops the next one until another leads, and lets it go on: its late write is refused. Returns
 * how many takeovers that must have caused.
 *
 * @throws ScriptError, and the signal's reason.
 */
export async function performScript(election: Election, ttlMs: number, signal: AbortSignal): Promise<number> {
  const { ledger, contenders } = election;
  const limitMs = 20_000 + 3 * ttlMs;

  const until = async (what: string, isSo: () => boolean) => {
    const limit = AbortSignal.timeout(limitMs);
    try {
      await election.until(isSo, AbortSignal.any([signal, limit]));
    } catch (error) {
      signal.throwIfAborted();
      throw new ScriptError(`within ${limitMs} ms it did not come about that ${what}`, { cause: error });
    }
  };
  const leads = (after?: Term) =>
    until('a process leads', () => ledger.term !== after && (ledger.term?.writes ?? 0) >= someWrites);
  const leader = (): Contender => contenders[ledger.term!.contender - 1]!;
  const allRun = () => contenders.every(({ state }) => state === 'leading' || state === 'waiting');

  await leads();
  await until('all three run', allRun);
  let term = ledger.term!;
  leader().kill();
  await leads(term);
  await until('all three run again', allRun);

  let takeovers = 1;
  // a process that is stopped in the instant of a write has no late one to try
  for (let round = 1; round <= rounds && ledger.refused === 0; round++) {
    const { writes } = ledger.term!;
    await until('the leader writes', () => ledger.term!.writes > writes);
    term = ledger.term!;
    const stopped = leader();
    stopped.stop();
    await leads(term);
    takeovers++;
    stopped.resume();
    await until('the one that was stopped waits', () => stopped.state === 'waiting');
  }
  const { acknowledged } = ledger;
  await until('the leader goes on', () => ledger.acknowledged >= acknowledged + someWrites);
  return takeovers;
}
