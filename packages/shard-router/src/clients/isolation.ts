import { refused } from '@ashlar/core';

const levels = ['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'];

/** PostgreSQL's name of a level, for a statement. @throws InvalidOptionError when there is none */
export function isolationLevel(name: string): string {
  const level = name
    .trim()
    .replaceAll(/[\s_-]+/g, ' ')
    .toUpperCase();
  if (levels.includes(level)) return level;
  throw refused('isolation', `one of ${levels.join(', ')}`, name);
}
