import { UsageError } from '@workspace/program';
import { describe, expect, it } from 'vitest';
import { readOptions } from '../src/cli/options.ts';

describe('readOptions', () => {
  it('has defaults, and reads every flag; the last of a kind counts', () => {
    const usual = { place: { backend: 'memory' }, ttlMs: 2_000, script: false, json: false };
    expect(readOptions([])).toEqual(usual);
    expect(readOptions(['--ttl-ms', '500', '--ttl-ms=700', '--script'])).toEqual({
      ...usual,
      ttlMs: 700,
      script: true,
    });
    const url = 'postgres://somebody:secret@localhost/shop';
    expect(readOptions(['--postgres', url])?.place).toEqual({ backend: 'postgres', url });
    expect(readOptions(['--json', '--redis', 'redis://localhost'])).toEqual({
      ...usual,
      place: { backend: 'redis', url: 'redis://localhost' },
      script: true,
      json: true,
    });
    expect(readOptions(['--help', '--ttl-ms', 'x'])).toBeUndefined();
  });

  it.each([
    ['--ttl-ms long', '--ttl-ms must be an integer from 200 to 60000, got "long"'],
    ['--ttl-ms 199', '--ttl-ms must be an integer from 200 to 60000, got "199"'],
    ['--ttl-ms', '--ttl-ms needs a value: --ttl-ms MS'],
    ['--redis here', '--redis must be a URL that begins with redis:// or rediss://, got "here"'],
    [
      '--postgres redis://h',
      '--postgres must be a URL that begins with postgres:// or postgresql://, got "redis://h"',
    ],
    ['--redis redis://h --postgres postgres://h', '--redis and --postgres exclude each other'],
    ['--json=yes', '--json takes no value, got "yes"'],
    ['--tll-ms 5', 'there is no flag --tll-ms; did you mean --ttl-ms?'],
    ['now', '"now" is not a flag; see --help'],
  ])('refuses %s in a line', (line, message) => {
    expect(() => readOptions(line.split(' '))).toThrow(new UsageError(message));
  });
});
