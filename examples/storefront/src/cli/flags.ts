import { parseArgs } from 'node:util';
import { AshlarError, describe } from '@ashlar/core';
import { nearest } from './nearest.ts';

/** What was typed cannot be done; the message is one line that names the flag and the value. */
export class UsageError extends AshlarError {
  static override readonly code: string = 'STOREFRONT_USAGE';
}

/** A flag takes a value, named as the help shows it, unless it has none. */
export interface Flag {
  readonly value?: string;
  readonly help: string;
}

/**
 * Splits a command line into flags: `--name value`, `--name=value`, `--name`; the last of a kind counts.
 *
 * @throws UsageError for a flag there is not, a value too many or too few, or an argument that is no flag.
 */
export function readFlags(
  args: readonly string[],
  flags: Readonly<Record<string, Flag>>,
): Map<string, string> {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { value }]) => [name, { type: value ? 'string' : 'boolean' } as const]),
  );
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const given = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === 'positional')
      throw new UsageError(`${describe(token.value)} is not a flag; see --help`);
    if (token.kind !== 'option') continue;
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined;
    if (flag === undefined) throw new UsageError(unknownFlag(token.rawName, Object.keys(flags)));
    if (flag.value !== undefined && (token.value ?? '') === '') {
      throw new UsageError(`--${token.name} needs a value: --${token.name} ${flag.value}`);
    }
    if (flag.value === undefined && token.value !== undefined) {
      throw new UsageError(`--${token.name} takes no value, got ${describe(token.value)}`);
    }
    given.set(token.name, token.value ?? '');
  }
  return given;
}

function unknownFlag(typed: string, names: readonly string[]): string {
  const meant = nearest(typed.replace(/^-+/, ''), names);
  return `there is no flag ${typed}${meant === undefined ? '; see --help' : `; did you mean --${meant}?`}`;
}
