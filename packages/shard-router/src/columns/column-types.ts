import type { ColumnType } from '../tables/table.ts';
import { bytea, jsonb } from './binary.ts';
import type { Column } from './column.ts';
import { float8, int4, int8, numeric } from './numbers.ts';
import { bool, text, uuid } from './texts.ts';
import { date, timestamptz } from './times.ts';

const columns: Readonly<Record<ColumnType, Column>> = {
  int8,
  int4,
  text,
  uuid,
  numeric,
  float8,
  bool,
  timestamptz,
  date,
  jsonb,
  bytea,
};

export const columnTypes = Object.keys(columns) as ColumnType[];

export function columnOf(type: ColumnType): Column {
  return columns[type];
}
