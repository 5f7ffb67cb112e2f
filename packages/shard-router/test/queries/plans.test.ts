import { expect, it } from 'vitest';
import { sqlOf } from '../../src/clients/sql.ts';
import { Slots } from '../../src/keys/slots.ts';
import { withPrimaryKey } from '../../src/queries/ordering.ts';
import { Table } from '../../src/tables/table-of.ts';
import { databases } from './databases.ts';

const columns = { tenant: 'int8', id: 'int4', score: 'float8', name: 'text' } as const;
const table = new Table('scores', { key: ['tenant'], primaryKey: ['tenant', 'id'], columns }, 'int8');

const postgres =
  databases(`CREATE TABLE scores (tenant int8, id int4, score float8, name text COLLATE "C", PRIMARY KEY (tenant, id));
  INSERT INTO scores SELECT n % 100, n / 100, (n * 7919) % 100003, 'name ' || n FROM generate_series(0, 19999) n;
  CREATE INDEX ON scores (score DESC, tenant, id); CREATE INDEX ON scores (name, tenant, id); ANALYZE scores`);

it.each([
  ['score', true],
  ['name', false],
])(
  'the first rows of a shard in the order of %s come from an index that has it',
  async (column, descending) => {
    const orderBy = withPrimaryKey(table, [{ column, descending, nulls: descending ? 'first' : 'last' }]);
    const owned = { slots: new Slots('int8', 1_024), slices: [{ from: 0, to: 512 }] };
    const { text } = sqlOf({
      kind: 'select',
      table,
      columns: table.columns,
      where: [],
      orderBy,
      limit: 100,
      owned,
    });
    const client = await postgres.client('one');
    const { rows } = await client.query(`EXPLAIN ${text}`);
    const plan = rows.map(row => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('Index Scan');
    expect(plan).not.toContain('Sort');
  },
);
