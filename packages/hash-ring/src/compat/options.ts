import { describe, InvalidOptionError } from '@ashlar/core';

/** More points than this, or entries, are refused: 128 MiB. */
const maxPoints = 2 ** 24;

/** @throws InvalidOptionError */
export function booleanOption(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new InvalidOptionError(option, `\`${option}\` must be true or false, got ${describe(value)}`);
}

/** Returns `value` if it is among the choices. @throws InvalidOptionError that lists them. */
export function choiceOption<T extends string>(option: string, value: T, choices: readonly T[]): T {
  if (choices.includes(value)) return value;
  const listed = choices.map(choice => describe(choice)).join(', ');
  throw new InvalidOptionError(option, `\`${option}\` must be one of ${listed}, got ${describe(value)}`);
}

/** @throws InvalidOptionError when the servers would need more points than can be held. */
export function requireRoom(points: number): void {
  if (points <= maxPoints) return;
  throw new InvalidOptionError(
    'nodes',
    `these nodes and weights need ${points} points, and no more than ${maxPoints} are held`,
  );
}
