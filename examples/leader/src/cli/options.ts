import { parseArgs } from 'node:util';
import { AshlarError, describe } from '@ashlar/core';
import type { Place } from '../ground/ground.ts';

/** What was typed cannot be done; the message is one line that names the flag and the value. */
export class UsageError extends AshlarError {
  static override readonly code: string = 'LEADER_USAGE';
}

export interface Options {
  readonly place: Place;
  readonly ttlMs: number;
  /** Run the fixed sequence, also on a terminal. */
  readonly script: boolean;
  readonly json: boolean;
}

interface Flag {
  readonly value?: string;
  readonly help: string;
}

const flags: Readonly<Record<string, Flag>> = {
  'ttl-ms': { value: 'MS', help: 'how long a leader is kept that is not heard of (2000)' },
  redis: { value: 'URL', help: 'lease and counter on this Redis, redis://host:port' },
  postgres: { value: 'URL', help: 'or on this PostgreSQL, postgres://user:password@host:port/database' },
  script: { help: 'the fixed sequence, as without a terminal: kill, stop, resume, a table' },
  json: { help: 'the fixed sequence, and its report as JSON; the events go to stderr' },
  help: { help: 'this text' },
};

/** @throws UsageError. `undefined` when help was asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const given = readFlags(args);
  if (given.has('help')) return undefined;
  const [redis, postgres, ttl = '2000'] = ['redis', 'postgres', 'ttl-ms'].map(name => given.get(name));
  if (redis !== undefined && postgres !== undefined) {
    throw new UsageError('--redis and --postgres exclude each other');
  }
  const ttlMs = /^\d{1,6}$/.test(ttl) ? Number(ttl) : Number.NaN;
  if (!(ttlMs >= 200 && ttlMs <= 60_000)) {
    throw new UsageError(`--ttl-ms must be an integer from 200 to 60000, got ${describe(ttl)}`);
  }
  const json = given.has('json');
  return { place: placeOf(redis, postgres), ttlMs, script: json || given.has('script'), json };
}

export function help(): string {
  const left = Object.entries(flags).map(([name, { value }]) => `--${name}${value ? ` ${value}` : ''}`);
  const width = Math.max(...left.map(({ length }) => length));
  const lines = Object.values(flags).map((flag, at) => `  ${left[at]!.padEnd(width)}  ${flag.help}`);
  return `Three processes, one leader, a counter that never goes back.\n\n${lines.join('\n')}\n`;
}

function placeOf(redis: string | undefined, postgres: string | undefined): Place {
  if (redis !== undefined) {
    return { backend: 'redis', url: checkUrl('redis', redis, ['redis:', 'rediss:']) };
  }
  if (postgres === undefined) return { backend: 'memory' };
  return { backend: 'postgres', url: checkUrl('postgres', postgres, ['postgres:', 'postgresql:']) };
}

function checkUrl(name: string, text: string, protocols: readonly string[]): string {
  if (protocols.includes(URL.canParse(text) ? new URL(text).protocol : '')) return text;
  throw new UsageError(`--${name} must be a URL that begins with ${protocols[0]}//, got ${describe(text)}`);
}

/** Takes `--name value`, `--name=value` and `--name`; the last of a kind counts. */
function readFlags(args: readonly string[]): Map<string, string> {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { value }]) => [name, { type: value ? 'string' : 'boolean' } as const]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const given = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === 'positional')
      throw new UsageError(`${describe(token.value)} is not a flag; see --help`);
    if (token.kind !== 'option') continue;
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined;
    if (flag === undefined) throw new UsageError(`there is no flag ${token.rawName}; see --help`);
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
