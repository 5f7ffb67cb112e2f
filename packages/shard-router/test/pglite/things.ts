import { PGlite } from '@electric-sql/pglite';
import { Slots } from '../../src/keys/slots.ts';
import { halfOf } from '../support/half.ts';

const things = {
  key: ['id'],
  primaryKey: ['id'],
  columns: { id: 'text', mail: 'text', n: 'int8' },
} as const;
export const tables = { things } as const;
export const ddl = 'CREATE TABLE things (id text PRIMARY KEY, mail text UNIQUE, n bigint)';

const slots = new Slots('text', 16);
/** Keys whose slots the move has. */
export const moved = Array.from({ length: 60 }, (_, i) => `key ${i}`)
  .filter(key => slots.of(key) < 8)
  .sort();
export const move = halfOf({ key: 'text', slots: 16, tables });

/** The databases in two folders. */
export async function opened(folders: Readonly<Record<'one' | 'two', string>>) {
  return { one: await PGlite.create(folders.one), two: await PGlite.create(folders.two) };
}
