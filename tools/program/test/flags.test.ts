import { describe, expect, it } from 'vitest';
import { type Flags, flagsHelp, readFlags, UsageError } from '../src/flags.ts';

const flags: Flags = {
  rate: { value: 'N', help: 'how fast' },
  redis: { value: 'URL', help: 'where' },
  json: { help: 'as JSON' },
};
const read = (line: string) => readFlags(line.split(' '), flags);

describe('readFlags', () => {
  it('reads `--name value`, `--name=value` and `--name`; the last of a kind counts', () => {
    const given = read('--rate 5 --json --rate=7');
    expect([given.get('rate'), given.has('json'), given.has('redis')]).toEqual(['7', true, false]);
    expect(given.integer('rate', 1, [1, 7])).toBe(7);
    expect(given.url('redis', ['redis:'])).toBeUndefined();
    expect(read('--redis redis://h:1/2').url('redis', ['redis:', 'rediss:'])).toBe('redis://h:1/2');
    expect(readFlags([], flags).integer('rate', 3, [1, 7])).toBe(3);
  });

  it.each([
    ['--rat 5', 'there is no flag --rat; did you mean --rate?'],
    ['-x', 'there is no flag -x; see --help'],
    ['--toString', 'there is no flag --toString; see --help'],
    ['--rate', '--rate needs a value: --rate N'],
    ['--json=1', '--json takes no value, got "1"'],
    ['now', '"now" is not a flag; see --help'],
    ['redis://:secret@here', '"redis://…@here" is not a flag; see --help'],
    ['--json=redis://:secret@here', '--json takes no value, got "redis://…@here"'],
  ])('refuses %s in a line', (line, message) => {
    expect(() => read(line)).toThrow(new UsageError(message));
  });

  it('refuses values that a flag cannot have', () => {
    const given = read('--rate 8 --redis here');
    const refused = [
      [() => given.integer('rate', 1, [1, 7]), '--rate must be an integer from 1 to 7, got "8"'],
      [() => given.integer('redis', 1, [1, 7]), '--redis must be an integer from 1 to 7, got "here"'],
      [() => given.url('redis', ['redis:']), '--redis must be a URL that begins with redis://, got "here"'],
      [() => given.exclusive('rate', 'redis'), '--rate and --redis exclude each other'],
    ] as const;
    const misspelled = read('--redis rediss://:secret@here');
    expect(() => misspelled.url('redis', ['redis:'])).toThrow('got "rediss://…@here"');
    for (const [refuse, message] of refused) expect(refuse).toThrow(new UsageError(message));
    given.exclusive('rate', 'json');
  });
});

describe('flagsHelp', () => {
  it('has a line for each flag', () => {
    const lines = [
      'Does it.',
      '',
      '  --rate N     how fast',
      '  --redis URL  where',
      '  --json       as JSON',
      '',
    ];
    expect(flagsHelp('Does it.', flags)).toBe(lines.join('\n'));
  });
});
