import { checkNames } from './options.ts';
import { integer, type NumberRange, number } from './rules.ts';

// Until every package has rules for its options; goes with the last caller.

export function numberOption(option: string, value: unknown, range: NumberRange = {}): number {
  return number(Number.NaN, range)(value ?? Number.NaN, option);
}

export function integerOption(option: string, value: unknown, range: NumberRange = {}): number {
  return integer(Number.NaN, range)(value ?? Number.NaN, option);
}

export function knownOptions(where: string, options: object, names: readonly string[]): void {
  checkNames(where, options, Object.fromEntries(names.map(name => [name, true])));
}
