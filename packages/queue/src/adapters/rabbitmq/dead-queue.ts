import type { Channel, GetMessage } from 'amqplib';
import type { DeadLetter, DeadLetterSelection } from '../../dead-letters.ts';
import { QueueTimeoutError } from '../../errors.ts';
import { inTime } from '../in-time.ts';
import { type Stored, storedOf } from './wire.ts';

type Verdict = 'take' | 'keep' | 'stop';

export type Visit = (letter: Stored) => Promise<Verdict> | Verdict;

/**
 * Takes the dead letters out one by one, oldest first, until `visit` says `stop`. What it did not `take` is where it was
 * when the channel ends: a classic queue puts back what was not acknowledged in its old place. Rejects when what was taken may be back.
 */
export async function walk(channel: Channel, queue: string, timeoutMs: number, visit: Visit): Promise<void> {
  const answer = <T>(work: PromiseLike<T>) =>
    inTime(Promise.resolve(work), timeoutMs, () => new QueueTimeoutError('RabbitMQ', timeoutMs));
  const close = () =>
    answer(
      new Promise<void>((resolve, reject) => {
        // amqplib says nothing of a connection that ends meanwhile
        channel.once('close', () => setImmediate(reject, new Error('the connection has ended')));
        channel.close().then(resolve, reject);
      }),
    );
  let taken = 0;
  const visitAll = async () => {
    const { messageCount } = await answer(channel.checkQueue(queue));
    for (let index = 0; index < messageCount; index++) {
      const message: GetMessage | false = await answer(channel.get(queue));
      if (message === false) return;
      const verdict = await visit(storedOf(message));
      if (verdict === 'stop') return;
      if (verdict === 'keep') continue;
      channel.ack(message);
      taken++;
    }
  };
  try {
    await visitAll();
  } catch (error) {
    await close().catch(() => {}); // RabbitMQ has closed it, and the error says why
    throw error;
  }
  // RabbitMQ answers when it has what was acknowledged; without that it puts it back
  await close().catch(error => (taken > 0 ? Promise.reject(error) : undefined));
}

/**
 * Gathers up to so many, from behind the one with the id `after`. Of messages that were published twice, the first: behind the other of the two,
 * a page would begin with what was on one before.
 */
export function page(
  topic: string,
  group: string,
  limit: number,
  after: string | undefined,
): { readonly letters: readonly DeadLetter[]; readonly visit: Visit } {
  const letters: DeadLetter[] = [];
  const seen = new Set<string>();
  let isBefore = after !== undefined;
  const visit: Visit = ({ id, key, headers, body, diedAt, reason, deliveries, failures }) => {
    if (seen.has(id)) return 'keep';
    seen.add(id);
    if (isBefore) {
      isBefore = id !== after;
      return 'keep';
    }
    if (letters.length >= limit) return 'stop';
    letters.push({
      ...{ id, topic, group, body, headers, key, reason, deliveries, failures },
      diedAtMs: diedAt,
    });
    return 'keep';
  };
  return { letters, visit };
}

/** Takes those of the selection. */
export function selected(
  { ids, limit = Number.POSITIVE_INFINITY }: DeadLetterSelection,
  take: (letter: Stored) => Promise<void>,
): Visit {
  const wanted = ids === undefined ? undefined : new Set(ids);
  let count = 0;
  return async letter => {
    if (count >= limit || wanted?.size === 0) return 'stop';
    if (wanted !== undefined && !wanted.delete(letter.id)) return 'keep';
    await take(letter);
    count++;
    return 'take';
  };
}
