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
const integer = /^-?\d+$/;
const mark = '~';

/** The id of a message as BullMQ takes it: no `:`, no integer, none of its own names. */
export function jobIdOf(id: string): string {
  const isPlain = plain.test(id) && !integer.test(id) && !reserved.has(id);
  return isPlain ? id : `${mark}${encodeURIComponent(id)}`;
}

export function messageIdOf(jobId: string): string {
  if (!jobId.startsWith(mark)) return jobId;
  try {
    return decodeURIComponent(jobId.slice(mark.length));
  } catch {
    return jobId; // Made by other code
  }
}
