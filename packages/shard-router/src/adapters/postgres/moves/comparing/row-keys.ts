import { identifier } from '../names.ts';
import type { RelationRow } from '../relations.ts';

/** Types of which every session makes one form of JSON, which their type reads again. */
const plain = /^(smallint|integer|bigint|numeric|text|character varying|uuid|boolean|date|timestamp)\b[^[]*$/;

function typesOf({ columns }: RelationRow): ReadonlyMap<string, string> {
  return new Map(columns.map(({ name, type }) => [name, type]));
}

/** The primary key of a row as a list of JSON. What `of` names has the columns: `t.`, `NEW.` */
export function keyOf(relation: RelationRow, of = ''): string {
  const types = typesOf(relation);
  const values = relation.primaryKey.map(name => {
    const column = `${of}${identifier(name)}`;
    return plain.test(types.get(name)!) ? column : `${column}::text`;
  });
  return `pg_catalog.jsonb_build_array(${values.join(', ')})`;
}

/** Whether the row `t` has the primary key `k.key`, such a list. */
export function isKeyed(relation: RelationRow): string {
  const types = typesOf(relation);
  return relation.primaryKey
    .map((name, at) => `t.${identifier(name)} = (k.key->>${at})::${types.get(name)}`)
    .join(' AND ');
}

/** Settings of a function that makes such lists in any session: in those of the session a key may be that of no row, or of another. */
export function settingsFor(relation: RelationRow): string {
  const types = typesOf(relation);
  if (relation.primaryKey.every(name => plain.test(types.get(name)!))) return '';
  return ` SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres' SET TimeZone = 'UTC' SET extra_float_digits = 1 SET bytea_output = 'hex'`;
}
