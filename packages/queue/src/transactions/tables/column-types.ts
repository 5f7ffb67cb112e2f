/** What the columns of a statement are read with, as `types` of a query of `pg`. */
export interface ColumnTypes {
  getTypeParser(oid: number): (value: string) => unknown;
}

const [bool, bytea, int2, int4, float8, texts] = [16, 17, 21, 23, 701, 1009];

const parsers = new Map<number, (value: string) => unknown>([
  [bool, value => value === 't'],
  [bytea, bytesOf],
  [int2, Number],
  [int4, Number],
  [float8, Number],
  // Of elements that need no quotes
  [texts, value => (value === '{}' ? [] : value.slice(1, -1).split(','))],
]);

/**
 * Our own for the types that our statements return, all else being text: a pool may have other parsers, and they may be set
 * for the whole process.
 */
export const columnTypes: ColumnTypes = { getTypeParser: oid => parsers.get(oid) ?? String };

/** In the format `hex` or, with another `bytea_output`, `escape`. */
function bytesOf(value: string): Buffer {
  if (value.startsWith('\\x')) return Buffer.from(value.slice(2), 'hex');
  const plain = value.replace(/\\(\\|[0-7]{3})/g, (_, code) =>
    code === '\\' ? code : String.fromCharCode(Number.parseInt(code, 8)),
  );
  return Buffer.from(plain, 'latin1');
}
