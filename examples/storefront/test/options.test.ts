import { UsageError } from '@workspace/program';
import { describe, expect, it } from 'vitest';
import { help, readOptions } from '../src/cli/options.ts';
import { policyNames } from '../src/policies.ts';

describe('readOptions', () => {
  it('has the defaults that the help names', () => {
    expect(readOptions([])).toEqual({
      policies: ['peak-ewma', 'consistent'],
      plot: 'change',
      requests: 10_000,
      warmUp: 40_000,
      replicas: 4,
      cache: 300,
      eviction: 'wTinyLfu',
      redisUrl: undefined,
      postgres: false,
      pace: { rate: 700 },
      seed: 1,
      source: { season: 'december' },
      loadMs: 10,
      shards: 0,
      servePort: undefined,
      json: false,
    });
    for (const usual of [
      '(peak-ewma,consistent)',
      '(10000;',
      'a warm-up of 40000 requests',
      '(4)',
      '(300)',
      '(wTinyLfu)',
      '(700)',
      '(1)',
      '(december)',
      '(10)',
    ]) {
      expect(help()).toContain(usual);
    }
  });

  it('reads every flag, with or without `=`; the last one counts', () => {
    const given =
      '--policy random --requests all --replicas=2 --concurrency 8 --cache 5 --load-ms 0 --trace a --trace b --seed 7 --eviction LRU --redis rediss://x:1';
    expect(readOptions([...given.split(' '), '--serve', '--port', '8080', '--json'])).toEqual({
      policies: ['random'],
      plot: 'change',
      requests: Infinity,
      warmUp: 0,
      replicas: 2,
      cache: 5,
      eviction: 'lru',
      redisUrl: 'rediss://x:1',
      postgres: false,
      pace: { concurrency: 8 },
      seed: 7,
      source: { trace: 'b' },
      loadMs: 0,
      shards: 0,
      servePort: 8080,
      json: true,
    });
    expect(readOptions(['--policy', 'all'])).toMatchObject({
      policies: policyNames,
      plot: 'trouble',
      requests: 4_000,
    });
    expect(readOptions(['--concurrency', '1'])).toMatchObject({ policies: ['peak-ewma'] });
    expect(readOptions(['--postgres'])).toMatchObject({ postgres: true, requests: 10_000 });
    expect(readOptions(['--shards', '4'])).toMatchObject({ shards: 4 });
    expect(readOptions(['--cold'])).toMatchObject({ requests: 10_000, warmUp: 0 });
    expect(readOptions(['--help', '--rate', '5'])).toBeUndefined();
    expect(readOptions(['--serve', '--requests', '0'])?.requests).toBe(0);
  });

  it.each([
    ['--rate 0', '--rate must be an integer from 1 to 100000, got "0"'],
    ['--rate fast', '--rate must be an integer from 1 to 100000, got "fast"'],
    ['--rate 1e3', '--rate must be an integer from 1 to 100000, got "1e3"'],
    ['--rate -5', '--rate must be an integer from 1 to 100000, got "-5"'],
    ['--rate --serve', '--rate must be an integer from 1 to 100000, got "--serve"'],
    ['--replicas 65', '--replicas must be an integer from 1 to 64, got "65"'],
    ['--requests 0', '--requests must be an integer from 1 to 10000000, got "0"'],
    ['--requests all', '--requests all needs --trace: a generated day has no end'],
    ['--seed', '--seed needs a value: --seed N'],
    ['--trace=', '--trace needs a value: --trace FILE'],
    ['--json=yes', '--json takes no value, got "yes"'],
    ['--season may', '--season must be july or december, got "may"'],
    ['--season july --trace x', '--season and --trace exclude each other'],
    ['--rate 5 --concurrency 5', '--rate and --concurrency exclude each other'],
    [
      '--policy fastest',
      '--policy must be of peak-ewma, consistent, least-requests, round-robin, random or all',
    ],
    ['--policy peak-ewma,', 'or all, got ""'],
    ['--policy all --replicas 2', '--policy all needs at least 3 --replicas'],
    ['--shards 0', '--shards must be an integer from 1 to 64, got "0"'],
    ['--postgres --concurrency 2', '--postgres needs a --rate'],
    ['--serve --postgres --requests 0', '--postgres needs --requests: without visitors nobody orders'],
    ['--policy all --concurrency 2', '--policy all needs a --rate'],
    ['--policy random,consistent --concurrency 2', '--concurrency makes one replay: give one --policy'],
    [
      '--eviction mru',
      '--eviction must be of arc, auto, clock, fifo, lfu, lirs, lru, s3fifo, sieve, twoQueue, wTinyLfu',
    ],
    ['--redis localhost', '--redis must be a URL that begins with redis:// or rediss://, got "localhost"'],
    ['--redis http://x', 'that begins with redis:// or rediss://, got "http://x"'],
    ['--load-ms 5001', '--load-ms must be an integer from 0 to 5000'],
    ['--port 80', '--port needs --serve'],
    ['--replica 3', 'there is no flag --replica; did you mean --replicas?'],
    ['--sevre', 'there is no flag --sevre; did you mean --serve?'],
    ['-x', 'there is no flag -x; see --help'],
    ['--constructor', 'there is no flag --constructor; see --help'],
    ['--no-json', 'there is no flag --no-json; see --help'],
    ['replay', '"replay" is not a flag; see --help'],
  ])('refuses %s', (line, message) => {
    const refuse = () => readOptions(line.split(' '));
    expect(refuse).toThrow(UsageError);
    expect(refuse).toThrow(message);
  });
});
