import { parseArgs } from 'node:util';
import { AshlarError, describe, nearest } from '@ashlar/core';

/** What was typed cannot be done; the message is one line that names the flag and the value. */
export class UsageError extends AshlarError {
  static override readonly code: string = 'PROGRAM_USAGE';
}

/** A flag takes a value, named as the help shows it, unless it has none. */
export interface Flag {
  readonly value?: string;
  readonly help: string;
}

export type Flags = Readonly<Record<string, Flag>>;

/** What was typed. */
export class GivenFlags {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Empty for a flag that takes no value. */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** @throws UsageError */
  integer(name: string, usual: number, [min, max]: readonly [min: number, max: number]): number {
    const text = this.get(name);
    if (text === undefined) return usual;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new UsageError(`--${name} must be an integer from ${min} to ${max}, got ${describe(text)}`);
  }

  /** @throws UsageError for one of another protocol than those, which end with a colon. */
  url(name: string, protocols: readonly string[]): string | undefined {
    const text = this.get(name);
    if (text === undefined) return undefined;
    if (URL.canParse(text) && protocols.includes(new URL(text).protocol)) return text;
    const [last, ...others] = protocols.map(protocol => `${protocol}//`).reverse();
    const beginnings = others.length === 0 ? last : `${others.reverse().join(', ')} or ${last}`;
    throw new UsageError(`--${name} must be a URL that begins with ${beginnings}, got ${describe(text)}`);
  }

  /** @throws UsageError when both are there. */
  exclusive(a: string, b: string): void {
    if (this.has(a) && this.has(b)) throw new UsageError(`--${a} and --${b} exclude each other`);
  }
}

/**
 * Splits a command line into flags: `--name value`, `--name=value`, `--name`; the last of a kind counts.
 *
 * @throws UsageError for a flag there is not, a value too many or too few, or an argument that is no flag.
 */
export function readFlags(args: readonly string[], flags: Flags): GivenFlags {
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
  return new GivenFlags(given);
}

/** What `--help` prints: what the program does, and its flags, each on a line. */
export function flagsHelp(what: string, flags: Flags): string {
  const left = Object.entries(flags).map(([name, { value }]) => `--${name}${value ? ` ${value}` : ''}`);
  const width = Math.max(...left.map(({ length }) => length));
  const lines = Object.values(flags).map((flag, at) => `  ${left[at]!.padEnd(width)}  ${flag.help}`);
  return `${what}\n\n${lines.join('\n')}\n`;
}

function unknownFlag(typed: string, names: readonly string[]): string {
  const meant = nearest(typed.replace(/^-+/, ''), names);
  return `there is no flag ${typed}${meant === undefined ? '; see --help' : `; did you mean --${meant}?`}`;
}
