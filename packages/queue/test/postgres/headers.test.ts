import fc from 'fast-check';
import { expect, it } from 'vitest';
import { packed, unpacked } from '../../src/adapters/postgres/headers.ts';

const known = fc.record({
  id: fc.string(),
  topic: fc.string(),
  key: fc.option(fc.string(), { nil: undefined }),
});
const names = ['ce-specversion', 'ce-id', 'ce-type', 'ce-time', 'content-type', 'ce-partitionkey', 'x'];

it('headers are what they were, whether they say what the row does or not', () => {
  fc.assert(
    fc.property(
      known,
      fc.dictionary(fc.constantFrom(...names), fc.string()),
      fc.boolean(),
      (row, some, same) => {
        const usual = {
          'ce-specversion': '1.0',
          'ce-id': row.id,
          'ce-type': row.topic,
          'content-type': 'application/json',
        };
        const headers = same ? { ...some, ...usual } : some;
        expect(unpacked(packed(headers, row), row)).toEqual({ ...headers });
      },
    ),
  );
});

it('of a usual message, only source and time are written', () => {
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': '7',
    'ce-source': '/queue',
    'ce-type': 'mail',
    'ce-time': '2026-11-29T10:00:00.000Z',
    'content-type': 'application/json',
    'ce-partitionkey': 'k',
  };
  const text = packed(headers, { id: '7', topic: 'mail', key: 'k' });
  expect(text).toBe('v{"ce-source":"/queue","ce-time":"2026-11-29T10:00:00.000Z"}');
  expect(unpacked('{"a":"b"}', { id: '7', topic: 'mail', key: 'k' })).toEqual({ a: 'b' });
});
