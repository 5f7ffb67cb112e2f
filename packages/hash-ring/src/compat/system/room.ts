import { describe, InvalidOptionError } from '@ashlar/core';

/** A table with an entry for each unit of weight. @throws InvalidOptionError when it would be too long */
export function entriesOf(
  servers: readonly { readonly owner: number; readonly weight: number }[],
): Uint32Array {
  const size = servers.reduce((sum, { weight }) => sum + weight, 0);
  requireRoom(size);
  const entries = new Uint32Array(size);
  let at = 0;
  for (const { owner, weight } of servers) {
    entries.fill(owner, at, at + weight);
    at += weight;
  }
  return entries;
}

/** More points than this, or entries, are refused: 128 MiB. */
const maxPoints = 2 ** 24;

/** @throws InvalidOptionError */
export function booleanOption(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new InvalidOptionError(option, `\`${option}\` must be true or false, got ${describe(value)}`);
}

/** What the table has under that name. @throws InvalidOptionError that lists the names there are. */
export function choiceOption<N extends string, T>(option: string, name: N, table: Readonly<Record<N, T>>): T {
  if (Object.hasOwn(table, name)) return table[name];
  const names = Object.keys(table).map(choice => describe(choice));
  throw new InvalidOptionError(
    option,
    `\`${option}\` must be one of ${names.join(', ')}, got ${describe(name)}`,
  );
}

/** @throws InvalidOptionError when the servers would need more points than can be held. */
export function requireRoom(points: number): void {
  if (points <= maxPoints) return;
  throw new InvalidOptionError(
    'nodes',
    `these nodes and weights need ${points} points, and no more than ${maxPoints} are held`,
  );
}
