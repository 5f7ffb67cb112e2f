import { refused } from '@ashlar/core';
import { claimsName, withIndexTables } from '../../indexes/index-tables.ts';
import type { KeyType } from '../../keys/key-column.ts';
import type { TableSpec, Tables } from '../../tables/table.ts';
import { identifier, relation } from './moves/names.ts';

/**
 * Statements for a migration of every shard: the tables that the `indexes` of these tables need. May be run again. Rows that are there already are
 * found after `checkIndexes()`.
 *
 * @throws InvalidOptionError when no table has indexes
 */
export function indexTables(tables: Tables, key: KeyType): string {
  const all = Object.entries(withIndexTables(tables ?? {}, key)).filter(
    ([name]) => !Object.hasOwn(tables, name),
  );
  if (all.length === 0) throw refused('tables', 'tables with `indexes`', tables);
  const claims = new Set(Object.keys(tables).map(claimsName));
  return all.map(([name, spec]) => tableOf(name, spec, claims.has(name))).join('');
}

function tableOf(name: string, { columns, primaryKey, key }: TableSpec, isOfClaims: boolean): string {
  // Texts of entries are compared and never shown in an order
  const types = Object.entries(columns).map(([column, type]) => {
    const collation = type === 'text' && !key.includes(column) ? ' COLLATE "C"' : '';
    return `${identifier(column)} ${type}${collation} NOT NULL`;
  });
  const index = name.split('.').at(-1)!;
  const more = isOfClaims
    ? `CREATE INDEX IF NOT EXISTS ${identifier(`${index}_row`)} ON ${relation(name)} (${[...key, 'ashlar_row'].map(identifier).join(', ')});
CREATE INDEX IF NOT EXISTS ${identifier(`${index}_gone`)} ON ${relation(name)} (ashlar_claim) WHERE ashlar_gone`
    : `CREATE INDEX IF NOT EXISTS ${identifier(`${index}_at`)} ON ${relation(name)} (at) WHERE NOT live`;
  return `CREATE TABLE IF NOT EXISTS ${relation(name)} (${types.join(', ')},
  PRIMARY KEY (${primaryKey.map(identifier).join(', ')}));
${more};
`;
}
