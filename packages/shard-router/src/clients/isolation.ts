const levels = ['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'];

/** PostgreSQL's name of a level, for a statement. @throws RangeError when there is none */
export function isolationLevel(name: string): string {
  const level = name
    .trim()
    .replaceAll(/[\s_-]+/g, ' ')
    .toUpperCase();
  if (levels.includes(level)) return level;
  throw new RangeError(`there is no isolation level ${JSON.stringify(name)}`);
}
