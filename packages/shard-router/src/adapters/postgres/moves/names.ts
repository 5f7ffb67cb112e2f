import { type Hash64, hashBytes } from '../../../keys/postgres-hash.ts';
import { slicesOf, slotsOf } from '../../../keys/slices.ts';
import { Slots } from '../../../keys/slots.ts';
import type { MoveSpec, Slice } from '../../../moves/move-backend.ts';

/** The schema of what moves keep in a database. */
export const schema = 'ashlar_shards';

/** What the publications, subscriptions, replication slots and triggers of moves begin with. */
export const prefix = 'ashlar_move_';

/** A move in one direction: both have publications and fences of their own, and one worker. */
export function directed(move: MoveSpec): MoveSpec {
  return { ...move, id: `${move.id}${move.from < move.to ? '_a' : '_b'}` };
}

/** The other direction. */
export function backOf(id: string): string {
  return `${moveOf(id)}${id.endsWith('_a') ? '_b' : '_a'}`;
}

/** The move in the other direction, which has names of its own at the shards. */
export function reversed(move: MoveSpec): MoveSpec {
  return { ...move, id: backOf(move.id), from: move.to, to: move.from };
}

/** The move that a direction is of. */
export function moveOf(id: string): string {
  return id.slice(0, -2);
}

/** The publication, the subscription and the replication slot of a move have one name. */
export function nameOf(id: string): string {
  return `${prefix}${id}`;
}

/** The fence of what has left a shard for good, of one map: another map has other slots of the same numbers. */
export function goneOfMap(router: string): string {
  const bytes = new TextEncoder().encode(router);
  const hash: Hash64 = { high: 0, low: 0 };
  hashBytes(bytes, bytes.length, undefined, hash);
  return `gone_${[hash.high, hash.low].map(half => (half >>> 0).toString(16).padStart(8, '0')).join('')}`;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A table as `name` or `schema.name`. */
export function relation(table: string): string {
  return table.split('.').map(identifier).join('.');
}

export function literal(value: string): string {
  const quoted = `'${value.replaceAll("'", "''")}'`;
  return value.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** Whether a row is in the slices, as an expression over columns that `of` names. */
export function inSlices(move: MoveSpec, table: string, slices: readonly Slice[], of = ''): string {
  const columns = move.tables[table]!.key.map(column => `${of}${identifier(column)}`);
  return new Slots(move.key, move.slots, move).amongTableSql(table, columns, slices);
}

/** The slots that have the rows of these now. */
export function liveSlices(move: MoveSpec, slices: readonly Slice[]): readonly Slice[] {
  return slicesOf(new Slots(move.key, move.slots, move).live(slotsOf(slices)));
}
