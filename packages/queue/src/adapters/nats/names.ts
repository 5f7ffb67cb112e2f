import { refused } from '@ashlar/core';

/** JetStream's bound of the name of a stream. */
const maxName = 255;
const advice = `JetStream has ${maxName} bytes for prefix, topic and group together, in which each \`.\` and \`_\` takes three`;

/** The streams and subjects of one topic. */
export interface TopicNames {
  /** The stream with what is published; it keeps a message until each group has acknowledged it. */
  readonly stream: string;
  readonly subject: string;
}

/** What one group has of its own. */
export interface GroupNames {
  /** The durable consumer of the topic's stream. */
  readonly consumer: string;
  /** The stream with what failed, was given back, or is held back. */
  readonly again: string;
  readonly ready: string;
  readonly later: string;
  /** The stream with the dead letters, each on a subject of its own below `dead`. */
  readonly deadStream: string;
  readonly dead: string;
}

/** @throws InvalidOptionError when they are too long together */
export function topicNames(prefix: string, topic: string): TopicNames {
  return {
    stream: fitting(`${prefix}_${token(topic)}`, 'topic', topic),
    subject: `${prefix}.${token(topic)}.all`,
  };
}

/** @throws InvalidOptionError when they are too long together */
export function groupNames(prefix: string, topic: string, group: string): GroupNames {
  const { stream } = topicNames(prefix, topic);
  const own = `${prefix}.${token(topic)}.to.${token(group)}`;
  return {
    consumer: token(group),
    again: `${stream}_${token(group)}`,
    ready: `${own}.ready`,
    later: `${own}.later`,
    deadStream: fitting(`${stream}_${token(group)}_dead`, 'group', group),
    dead: `${own}.dead`,
  };
}

/** The subject of the dead letter of one message, below that of its group. */
export function deadSubject({ dead }: GroupNames, id: string): string {
  return `${dead}.${Buffer.from(id).toString('base64url')}`;
}

function fitting(name: string, option: string, value: string): string {
  if (name.length <= maxName) return name;
  throw refused(option, `shorter by ${name.length - maxName} bytes`, value, advice);
}

/** A text as a part of a subject or of the name of a stream, which have no dots, blanks and wildcards: `order=2Eplaced`. */
function token(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replace(/[^A-Za-z0-9-]/g, char => `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}
