import { refused } from '@ashlar/core';
import type { TableSpec, Tables } from '../../tables/table.ts';
import { identifier, relation, schema } from './moves/names.ts';

/** What a guard refuses with. */
const keyUpdate = 'AS410';

/**
 * Statements for a migration of every shard: from then on the database refuses to change the shard key of a row, also for SQL of your own, for
 * `MERGE` and `ON CONFLICT`, and for foreign keys that cascade to it. A transaction that means it says `SET LOCAL ashlar.key_update = 'on'`.
 * May be run again.
 *
 * @throws InvalidOptionError when there are no tables
 */
export function keyGuards(tables: Tables): string {
  const specs = Object.entries(tables ?? {});
  if (specs.length === 0) throw refused('tables', 'those of the router', tables);
  return [
    `CREATE SCHEMA IF NOT EXISTS ${schema}`,
    `CREATE OR REPLACE FUNCTION ${schema}.deny_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('ashlar.key_update', true) = 'on' THEN RETURN NULL; END IF;
  RAISE EXCEPTION USING ERRCODE = '${keyUpdate}', TABLE = TG_TABLE_NAME,
    MESSAGE = format('the shard key of a row of %s was to change: its shard would be another', TG_TABLE_NAME),
    HINT = 'Delete the row and insert it under its new key, in a transaction for both keys.';
END $$`,
    ...specs.map(([name, spec]) => guardOf(name, spec)),
    '',
  ].join(';\n');
}

/** After the update, when no other trigger can change the row any more. */
function guardOf(name: string, { key }: TableSpec): string {
  const changes = key.map(column => `OLD.${identifier(column)} IS DISTINCT FROM NEW.${identifier(column)}`);
  return `CREATE OR REPLACE TRIGGER ashlar_key AFTER UPDATE ON ${relation(name)} FOR EACH ROW WHEN (${changes.join(' OR ')})
  EXECUTE FUNCTION ${schema}.deny_key()`;
}
