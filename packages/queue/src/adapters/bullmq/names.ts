/** The group that has the queue with the name of the topic itself. */
const plainGroup = 'default';

/**
 * The queue of BullMQ that holds the messages of a topic for a group: that of the topic for the group `default`, so that
 * a queue that was there before is taken over, else `topic@group`.
 */
export function queueName(topic: string, group: string): string {
  return group === plainGroup ? topic : `${topic}@${group}`;
}

/** What BullMQ keeps beside the jobs of a queue, under keys that are made as those of the jobs are. */
const reserved = new Set([
  'active',
  'completed',
  'de',
  'delayed',
  'dn',
  'events',
  'failed',
  'id',
  'limiter',
  'marker',
  'meta',
  'metrics',
  'paused',
  'pc',
  'prioritized',
  'repeat',
  'stalled',
  'stalled-check',
  'wait',
  'waiting-children',
]);
const plain = /^[\w.-]+$/;
// BullMQ parses an id and takes it for a number when it reads the same afterwards, as `NaN` does
const integer = /^(-?\d+|NaN)$/;
const mark = '~';

/** The id of a message as BullMQ takes it: no `:`, no integer, none of its own names. */
export function jobIdOf(id: string): string {
  const isPlain = plain.test(id) && !integer.test(id) && !reserved.has(id);
  return isPlain ? id : `${mark}${encodeURIComponent(id)}`;
}

export function messageIdOf(jobId: string): string {
  if (!jobId.startsWith(mark)) return jobId;
  try {
    const id = decodeURIComponent(jobId.slice(mark.length));
    if (jobIdOf(id) === jobId) return id;
  } catch {}
  return jobId; // Made by other code
}

/** Of a job of a scheduler. Under other names with a `:`, BullMQ keeps something else. */
const scheduled = /^repeat:.+:\d+$/;

/**
 * The ids that the job of a message may have: the one under which the driver publishes it, and the very same, as other code has made
 * it, such as BullMQ's own numbers.
 */
export function jobIdsOf(id: string): readonly string[] {
  const jobId = jobIdOf(id);
  const isOthers = jobId !== id && !reserved.has(id) && (!id.includes(':') || scheduled.test(id));
  return isOthers ? [jobId, id] : [jobId];
}

/** Asks for each of them in turn, until there is an answer. */
export async function firstOf<T>(
  jobIds: readonly string[],
  ask: (jobId: string) => Promise<T>,
  isAnswer: (answer: T) => boolean,
): Promise<T> {
  let answer = await ask(jobIds[0]!);
  for (let at = 1; at < jobIds.length && !isAnswer(answer); at++) answer = await ask(jobIds[at]!);
  return answer;
}
