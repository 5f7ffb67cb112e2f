import { TierUnfitError } from '../../tiers/errors.ts';
import type { RedisTierSettings } from './settings.ts';

const needs = {
  pubsub: 'EVAL, and SUBSCRIBE to the channel of its prefix',
  tracking: 'EVAL, CLIENT ID, CLIENT TRACKING, and SUBSCRIBE to the channel `__redis__:invalidate`',
};

const isRefusal =
  /^(?:NOPERM |MOVED |ERR .*(?:unknown|unsupported|syntax|disabled|not (?:supported|allowed|permitted)))/iu;

/** Settles as the work does, but rejects with TierUnfitError for a command that the server does not know or allow. */
export async function orUnfit<T>(settings: RedisTierSettings, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const answer = refusalIn(error);
    if (answer === undefined) throw error;
    const { tier, invalidation } = settings;
    const why = answer.startsWith('MOVED')
      ? 'is a node of a Redis Cluster: give the tier a client of the cluster'
      : `does not allow what \`invalidation: '${invalidation}'\` needs: ${needs[invalidation]}`;
    const text = `the server of the tier ${JSON.stringify(tier)} ${why} (it answered: ${answer})`;
    throw new TierUnfitError(text, { cause: error });
  }
}

const isWriteRefusal = /\b(?:MISCONF|NOREPLICAS|OOM|READONLY)\b/u;

/** Whether the server answers, but takes no writes: without them no lease can be had, so it is of no use. */
export function refusesWrites(error: unknown): boolean {
  for (let next = error; next instanceof Error; next = next.cause) {
    if (next.name === 'ReplyError' && isWriteRefusal.test(next.message)) return true;
  }
  return false;
}

/** The server's refusal of a command that it does not know, that the user may not run, or that is for another server. */
function refusalIn(error: unknown): string | undefined {
  for (let next = error; next instanceof Error; next = next.cause) {
    if (next.name === 'ReplyError' && isRefusal.test(next.message)) return next.message;
  }
  return undefined;
}
