import { InvalidOptionError } from './errors.ts';

/** `min` and `max` are inclusive, `above` is exclusive. */
export interface NumberRange {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
}

/** A value as an error message quotes it: short, on one line, with its type where the text alone could mislead. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object') return Array.isArray(value) ? 'an array' : 'an object';
  if (typeof value === 'function') return 'a function';
  return `${String(value)} (${typeof value})`;
}

/** Returns `value` if it is a finite number in the range. @throws InvalidOptionError that quotes it otherwise. */
export function numberOption(option: string, value: unknown, range: NumberRange = {}): number {
  return checked(option, value, range, 'a number', Number.isFinite(value));
}

/** Returns `value` if it is a safe integer in the range. @throws InvalidOptionError that quotes it otherwise. */
export function integerOption(option: string, value: unknown, range: NumberRange = {}): number {
  return checked(option, value, range, 'an integer', Number.isSafeInteger(value));
}

/**
 * Refuses names that nobody reads, so that a misspelled option is not silently ignored, and what has no names.
 *
 * @throws InvalidOptionError that lists the names there are.
 */
export function knownOptions(where: string, options: object, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidOptionError(where, `${where} takes an object of options, got ${describe(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw new InvalidOptionError(name, `${where} has no option \`${name}\`; it takes ${names.join(', ')}`);
  }
}

function checked(option: string, value: unknown, range: NumberRange, kind: string, isKind: boolean): number {
  const { min = -Infinity, above = -Infinity, max = Infinity } = range;
  const number = value as number;
  if (isKind && number >= min && number > above && number <= max) return number;
  const limits = Object.entries({ 'of at least': range.min, above: range.above, 'at most': range.max });
  const given = limits.filter(([, limit]) => limit !== undefined).map(limit => limit.join(' '));
  const expected = `${kind} ${given.join(' and ')}`.trimEnd();
  throw new InvalidOptionError(option, `\`${option}\` must be ${expected}, got ${describe(value)}`);
}
