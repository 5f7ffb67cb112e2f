import { describe, expect, it } from 'vitest';
import { misspelled, nearest, describe as quoted, withoutSecrets } from '../../src/index.ts';

describe('nearest', () => {
  it.each([
    ['timeout', 'timeoutMs'],
    ['idempotant', 'idempotent'],
    ['TIMEOUTMS', 'timeoutMs'],
    ['keys', 'key'],
    ['ttl', 'ttlMs'],
    ['success', undefined],
    ['', undefined],
  ])('%s: %s', (typed, meant) => {
    expect(nearest(typed, ['timeoutMs', 'idempotent', 'key', 'ttlMs'])).toBe(meant);
  });

  it.each([
    ['healthCheck', 'health'],
    ['maxSize', undefined],
    ['keyPrefix', 'prefix'],
    ['cachePrefix', 'prefix'],
    ['maxmemory', undefined],
    ['prefixes', 'prefix'],
  ])('by its words, %s: %s', (typed, meant) => {
    expect(nearest(typed, ['max', 'health', 'prefix', 'maxWaitMs'])).toBe(meant);
  });
});

describe('nearest, by letters and digits alone', () => {
  it.each([
    ['ttl_ms', 'ttlMs'],
    ['ttl-', 'ttlMs'],
    ['round-robin', 'roundRobin'],
    ['ROUND_ROBIN', 'roundRobin'],
    ['w-tiny-lfu', 'wTinyLfu'],
    ['s3-fifo', 's3fifo'],
    ['key_prefix', 'prefix'],
    ['KEY_PREFIX', 'prefix'],
    ['prefix-of-keys', 'prefix'],
    ['america/new york', 'America/New_York'],
    ['newyork', undefined],
    ['no-prefix', undefined],
    ['noPrefix', undefined],
    ['__________', undefined],
    ['größe', 'größeMs'],
  ])('%s: %s', (typed, meant) => {
    const names = ['ttlMs', 'roundRobin', 'wTinyLfu', 's3fifo', 'prefix', 'America/New_York', 'größeMs', 'x'];
    expect(nearest(typed, names)).toBe(meant);
  });

  it('a text of ten million letters is compared with no name, which would take minutes', () => {
    expect(nearest('x'.repeat(10_000_000), Intl.supportedValuesOf('timeZone'))).toBeUndefined();
  });
});

describe('misspelled', () => {
  it.each([
    ['wieght', 'weight'],
    ['Weight', 'weight'],
    ['weigth', 'weight'],
    ['zon', 'zone'],
    ['ulr', 'url'],
    ['uri', 'url'],
    ['height', undefined],
    ['zoneId', undefined],
    ['w', undefined],
    ['', undefined],
  ])('%s: %s', (typed, meant) => {
    expect(misspelled(typed, ['weight', 'zone', 'url'])).toBe(meant);
  });
});

describe('describe', () => {
  it.each([
    [class Ring {}, 'the class Ring'],
    [class {}, 'a class'],
    [() => {}, 'a function'],
    [String, 'a function'],
  ])('of a function: %s', (value, text) => {
    expect(quoted(value)).toBe(text);
  });
});

describe('withoutSecrets', () => {
  it.each([
    ['redis://:S3CRET@localhost:6379/1', 'redis://…@localhost:6379/1'],
    ['postgres://user:S3CRET@db/shop', 'postgres://…@db/shop'],
    // Not encoded as a URL needs it, which is what such an error is often about
    ['postgres://user:a/S3CRET@db/shop', 'postgres://…@db/shop'],
    ['redis://:a@S3CRET@localhost', 'redis://…@localhost'],
    ['amqp://token@queue', 'amqp://…@queue'],
    ['//user:S3CRET@db', '//…@db'],
    ['connect to nats://u:S3CRET@a or nats://u:S3CRET@b', 'connect to nats://…@a or nats://…@b'],
    ['nats://u:S3CRET@a,nats://u:S3CRET@b', 'nats://…@b'],
    ['postgres://db/shop?user=u&password=S3CRET&ssl=true', 'postgres://db/shop?user=u&password=…&ssl=true'],
    ['host=db Password=S3CRET user=u', 'host=db Password=… user=u'],
    ["host=db password='S3 CRET' user=u", 'host=db password=… user=u'],
    ['https://api/?access_token=S3CRET', 'https://api/?access_token=…'],
    ['https://npm/@ashlar', 'https://…@ashlar'],
    ['user@example.com', 'user@example.com'],
    ['http://shop:8080/a?b=c', 'http://shop:8080/a?b=c'],
    ['password', 'password'],
  ])('%s', (text, shown) => {
    expect(withoutSecrets(text)).toBe(shown);
    expect(quoted(text)).toBe(JSON.stringify(shown));
  });

  it('takes a long text in one pass', () => {
    for (const part of ['/', '//', '1_', "token='"])
      expect(quoted(part.repeat(1_000_000)).length).toBeLessThan(70);
  });

  it('hides before it cuts', () => {
    const url = `postgres://user:${'S3CRET'.repeat(20)}@db`;
    expect(quoted(url)).toBe('"postgres://…@db"');
  });
});
