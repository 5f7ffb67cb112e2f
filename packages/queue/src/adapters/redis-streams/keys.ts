import { type Rule, refused } from '@ashlar/core';

/** The keys of one topic, all with one hash tag, so that a cluster holds them together. */
export interface TopicKeys {
  /** The stream of what is published. */
  readonly stream: string;
  /** Of a group: the stream of what comes again. */
  retries(group: string): string;
  /** Of a group that shares by keys: what wakes a consumer that waits. */
  bell(group: string): string;
}

export function keysOf(prefix: string, topic: string): TopicKeys {
  const base = `{${prefix}:${topic}}:`;
  return {
    stream: `${base}s`,
    retries: group => `${base}r:${group}`,
    bell: group => `${base}bell:${group}`,
  };
}

/** The rule of `prefix`: part of a hash tag. */
export const prefixRule: Rule<string> = (value = 'ashlar-queue', option) => {
  if (typeof value === 'string' && value !== '' && !/[{}]/.test(value)) return value;
  throw refused(option, 'a string that is not empty, without braces', value);
};
