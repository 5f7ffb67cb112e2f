import { refused } from '@ashlar/core';

/** Names of exchanges and queues. `:` is in no topic and no group, so that no two are the same. */
export interface GroupNames {
  readonly exchange: string;
  readonly queue: string;
  readonly dead: string;
}

/** RabbitMQ's bound of a name, in bytes, and what the longest name of a delay queue adds. */
const maxName = 255;
const longestSuffix = ':delay:999999999999'.length;
const advice = `RabbitMQ has ${maxName} bytes for prefix, topic and group together`;

export function exchangeOf(prefix: string, topic: string): string {
  return `${prefix}:${topic}`;
}

/** @throws InvalidOptionError when they are too long together */
export function groupNames(prefix: string, topic: string, group: string): GroupNames {
  const exchange = exchangeOf(prefix, topic);
  const queue = `${exchange}:${group}`;
  const room = maxName - longestSuffix - exchange.length - 1;
  if (group.length > room) throw refused('group', `of at most ${room} letters in this topic`, group, advice);
  return { exchange, queue, dead: `${queue}:dead` };
}

/**
 * The longest delay of the queue that a delay waits in. A queue gives up only its first message, so that one may be late
 * by what the longest and the shortest delay of its queue differ: 100 ms, or an eighth.
 */
export function delayBucket(delayMs: number): number {
  const step = Math.max(100, 2 ** Math.floor(Math.log2(delayMs) - 3));
  return Math.ceil(Math.ceil(delayMs / step) * step);
}
