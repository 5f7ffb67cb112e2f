import { TierUnfitError } from '../../tiers/errors.ts';
import type { RedisTierSettings } from './settings.ts';

const needs = {
  pubsub: 'SUBSCRIBE to the channel of its prefix',
  tracking: 'CLIENT ID, CLIENT TRACKING and SUBSCRIBE to `__redis__:invalidate`',
};

/** As the work settles; but what the server does not know or allow is told as what the tier needs of it. */
export async function orUnfit<T>(settings: RedisTierSettings, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const answer = answerIn(error);
    if (answer === undefined) throw error;
    const { tier, invalidation } = settings;
    const other = invalidation === 'pubsub' ? '' : "; allow them, or use 'pubsub'";
    const text = `needs ${needs[invalidation]} for \`invalidation: '${invalidation}'\`${other}: ${answer}`;
    throw new TierUnfitError(`the server of the tier ${JSON.stringify(tier)} ${text}`, { cause: error });
  }
}

/** What the server itself said of a command that it does not know, or of a user who may not use it. */
function answerIn(error: unknown): string | undefined {
  for (let next = error; next instanceof Error; next = next.cause) {
    if (next.name === 'ReplyError' && /^(?:NOPERM|ERR) /u.test(next.message)) return next.message;
  }
  return undefined;
}
