import { InvalidOptionError } from '@ashlar/core';
import { InvalidShardKeyError, UnplacedKeyError } from '../errors/routing.ts';
import { Cuts } from './cuts.ts';
import type { Column, KeyType, ShardKey } from './key-column.ts';
import {
  type Base,
  baseOf,
  type DirectoryEntry,
  forgottenOf,
  KeyOrder,
  type KeyTexts,
  type Slice,
} from './layout.ts';
import type { Hash64 } from './postgres-hash.ts';
import { isIn, slicesOf, slotsOf } from './slices.ts';
import { isOfTables, type SlotSpace, spaceOf } from './slot-space.ts';

function wordsOf(key: KeyTexts): string {
  return key.length === 1 ? JSON.stringify(key[0]) : JSON.stringify(key);
}

/**
 * Which slot a key is in. By hash: the low bits of a hash that PostgreSQL has built in, so that the database can filter rows by slot, also in
 * a publication; of several columns each hash is the seed of the next. By range: the part that has the key. By directory: the entry.
 * Slots may be cut in two since.
 */
export class Slots {
  readonly type: KeyType;
  readonly space: SlotSpace;
  readonly order: KeyOrder;
  readonly #columns: readonly Column[];
  readonly #base: Base | undefined;
  /** Without those that cuts have made: by hash, a power of two. */
  readonly #baseCount: number;
  readonly #cuts: Cuts;
  /** The numbers of forgotten entries, by their keys. */
  readonly #forgotten: ReadonlyMap<string, number>;
  readonly #free: ReadonlySet<number>;
  readonly #hash: Hash64 = { high: 0, low: 0 };

  constructor(type: KeyType, count: number, parts: Pick<SlotSpace, 'layout' | 'cuts' | 'joins'> = {}) {
    const { layout, cuts = [], joins = [] } = parts;
    this.space = spaceOf({ ...parts, key: type, slots: count });
    this.type = type;
    this.order = new KeyOrder(type);
    this.#columns = this.order.columns;
    this.#base = layout && baseOf(layout, this.order);
    this.#baseCount = count - 2 * cuts.length;
    this.#cuts = new Cuts(cuts, joins, this.order);
    const name = ({ key, slot }: DirectoryEntry) => [JSON.stringify(key), slot] as const;
    this.#forgotten = new Map(forgottenOf(layout).map(name));
    this.#free = new Set(this.#forgotten.values());
  }

  /** @throws InvalidShardKeyError, UnplacedKeyError */
  of(key: ShardKey): number {
    const slot = this.#base === undefined ? this.#hashed(key) : this.#placed(key, this.#base);
    return this.#cuts.areNone ? slot : this.#cuts.partOf(slot, key);
  }

  /** As `of`, and of a key whose entry was forgotten the slot that it had; undefined for one that has none. @throws InvalidShardKeyError */
  find(key: ShardKey): number | undefined {
    if (this.#base === undefined || this.#base.of(key) !== undefined) return this.of(key);
    return this.#forgotten.get(JSON.stringify(this.order.toTexts(key)));
  }

  /** Whether no key is in the slot any more: it was cut in two or joined to another, or its entry was forgotten. */
  isRetired(slot: number): boolean {
    return this.#cuts.isRetired(slot) || this.#free.has(slot);
  }

  /** The slots that have the keys of these now; those of forgotten entries as they are. */
  live(slots: readonly number[]): number[] {
    if (this.#cuts.areNone) return [...slots];
    return [...new Set(slots.flatMap(slot => this.#cuts.partsOf(slot)))].sort((a, b) => a - b);
  }

  /** All slots that have keys; by range, in the order of the keys. */
  inOrder(): number[] {
    const first = Array.from({ length: this.space.slots }, (_, slot) => slot).filter(
      slot => !this.#cuts.isMade(slot) && !this.#free.has(slot),
    );
    return [...new Set(first.flatMap(slot => this.#cuts.partsOf(slot)))];
  }

  /** Whether no other key can be in the slot of this one. @throws as `of`, but for a key that has none */
  isAlone(key: ShardKey): boolean {
    const slot = this.of(key);
    const [last] = this.#cuts.pathTo(slot);
    if (last !== undefined) return last.cut.kind === 'only' && last.isIn;
    const { layout } = this.space;
    return layout?.kind === 'directory' && layout.rest !== this.#cuts.rootOf(slot);
  }

  /** Whether the slot that has this key has none before it. */
  beginsAt(key: ShardKey): boolean {
    const texts = JSON.stringify(this.order.toTexts(key));
    const slot = this.of(key);
    const { layout } = this.space;
    if (this.#cuts.pathTo(slot).some(({ cut, isIn }) => isIn && JSON.stringify(cut.at) === texts))
      return true;
    if (layout?.kind !== 'range') return false;
    const [first] = this.#firstOf(this.#cuts.rootOf(slot));
    return JSON.stringify(layout.bounds[first! - 1]) === texts;
  }

  /** Which keys a slot has, in words; undefined where it has those of a hash. */
  words(slot: number): string | undefined {
    const path = this.#cuts.pathTo(slot);
    const { layout } = this.space;
    const base = this.#cuts.rootOf(slot);
    const parts = path.reverse().map(({ cut, isIn }) => {
      const at = wordsOf(cut.at);
      if (cut.kind === 'only') return isIn ? `the key ${at} alone` : `not ${at}`;
      return `${isIn ? 'from' : 'before'} ${at}`;
    });
    if (layout === undefined) return parts.length === 0 ? undefined : `of hash ${base} ${parts.join(', ')}`;
    if (layout.kind === 'directory') {
      const entry = layout.entries.find(each => each.slot === base);
      return [
        entry === undefined
          ? 'the keys without an entry'
          : `the ${layout.of === 'tables' ? 'table' : 'key'} ${wordsOf(entry.key)}`,
        ...parts,
      ].join(', ');
    }
    const its = this.#firstOf(base);
    const [from, to] = [layout.bounds[its[0]! - 1], layout.bounds[its.at(-1)!]];
    const range = [from && `from ${wordsOf(from)}`, to && `before ${wordsOf(to)}`].filter(
      each => each !== undefined,
    );
    return `the keys ${range.length === 0 ? 'of all' : range.join(' ')}${parts.map(part => `, ${part}`).join('')}`;
  }

  /** One key, or a list of keys, as a list. */
  list(keys: ShardKey | readonly ShardKey[]): readonly ShardKey[] {
    const isList = Array.isArray(keys) && (typeof this.type === 'string' || keys.every(Array.isArray));
    return isList ? (keys as readonly ShardKey[]) : [keys as ShardKey];
  }

  /** The slot as an expression of PostgreSQL over the columns of the key, which must be quoted already. */
  sql(columns: readonly string[]): string {
    this.#checkColumns(columns);
    const { layout, slots } = this.space;
    if (this.#cuts.areNone && layout === undefined) return this.#hashSql(columns);
    const all = Array.from({ length: slots }, (_, slot) => slot).filter(slot => !this.isRetired(slot));
    const named = layout === undefined ? all.filter(slot => this.#cuts.isMade(slot)) : all;
    const cases = named.map(slot => `WHEN ${this.#amongSql(columns, [slot])} THEN ${slot}`);
    // A directory of which all was forgotten
    if (cases.length === 0) return '(NULL::int)';
    return `(CASE ${cases.join(' ')}${layout === undefined ? ` ELSE ${this.#hashSql(columns)}` : ''} END)`;
  }

  /** Whether rows of a table have a key of these slots, as an expression of PostgreSQL over the columns of the key, which must be quoted already. */
  amongTableSql(table: string, columns: readonly string[], slices: readonly Slice[]): string {
    if (!isOfTables(this.space)) return this.amongSql(columns, slices);
    const slot = this.find(table);
    return String(slot !== undefined && isIn(slices, slot));
  }

  /** The slot of the rows of a table, in the same way. */
  tableSql(table: string, columns: readonly string[]): string {
    return isOfTables(this.space) ? String(this.of(table)) : this.sql(columns);
  }

  /** Whether the columns have a key of these slots, in the same way. */
  amongSql(columns: readonly string[], slices: readonly Slice[]): string {
    this.#checkColumns(columns);
    const beyond = slices.find(({ to }) => to > this.space.slots);
    if (beyond !== undefined)
      throw new InvalidOptionError(
        'slices',
        `there is no slot ${beyond.to - 1} in this map: it is older than what names that slot`,
      );
    if (slices.length === 0) return 'false';
    if (this.#cuts.areNone && this.#base === undefined) return this.#slicesSql(columns, slices);
    return this.#amongSql(columns, slotsOf(slices));
  }

  #amongSql(columns: readonly string[], slots: readonly number[]): string {
    const live = this.live(slots);
    const whole: number[] = [];
    const parts: string[] = [];
    for (const slot of live) {
      const root = this.#cuts.rootOf(slot);
      const path = this.#cuts.pathTo(slot);
      if (path.length === 0) whole.push(root);
      else {
        const conditions = path.map(({ cut, isIn }) => {
          const { kind, at } = cut;
          const sql = kind === 'only' ? this.order.isSql(columns, at) : this.order.isFromSql(columns, at);
          return isIn ? sql : `NOT ${sql}`;
        });
        parts.push(`(${[...this.#baseSql(columns, [root]), ...conditions].join(' AND ')})`);
      }
    }
    const all = [...this.#baseSql(columns, whole), ...parts];
    return all.length === 0 ? 'false' : `(${all.join(' OR ')})`;
  }

  #baseSql(columns: readonly string[], slots: readonly number[]): string[] {
    if (slots.length === 0) return [];
    const all = slots.flatMap(slot => this.#firstOf(slot)).sort((a, b) => a - b);
    if (this.#base !== undefined) return this.#base.amongSql(columns, all);
    return [this.#slicesSql(columns, slicesOf(all))];
  }

  /** A slot from the beginning, and the ranges that were joined to it, in order. */
  #firstOf(slot: number): number[] {
    const { layout } = this.space;
    if (layout?.kind !== 'range' || this.#cuts.areNone) return [slot];
    const all = Array.from({ length: layout.bounds.length + 1 }, (_, each) => each);
    return all.filter(each => this.#cuts.rootOf(this.#cuts.partsOf(each)[0]!) === slot);
  }

  #slicesSql(columns: readonly string[], slices: readonly Slice[]): string {
    const slot = this.#hashSql(columns);
    return `(${slices.map(({ from, to }) => `${slot} >= ${from} AND ${slot} < ${to}`).join(' OR ')})`;
  }

  #hashSql(columns: readonly string[]): string {
    const hash = columns.reduce(
      (seed, column, i) => `${this.#columns[i]!.sqlFunction}(${column}, ${seed})`,
      '0',
    );
    return `(${hash} & ${this.#baseCount - 1})`;
  }

  #hashed(key: ShardKey): number {
    const hash = this.#hash;
    if (typeof this.type === 'string') {
      this.#columns[0]!.write(key, undefined, hash);
      return hash.low & (this.#baseCount - 1);
    }
    this.#checkLength(key);
    let seed: Hash64 | undefined;
    for (let i = 0; i < this.#columns.length; i++) {
      this.#columns[i]!.write((key as readonly unknown[])[i], seed, hash);
      seed = hash;
    }
    return hash.low & (this.#baseCount - 1);
  }

  #placed(key: ShardKey, base: Base): number {
    if (typeof this.type !== 'string') this.#checkLength(key);
    const slot = base.of(key);
    if (slot === undefined) throw new UnplacedKeyError(key);
    return slot;
  }

  #checkLength(key: ShardKey): void {
    if (Array.isArray(key) && key.length === this.#columns.length) return;
    throw new InvalidShardKeyError(
      key,
      `a list of ${this.#columns.length} values (${String(this.type).replaceAll(',', ', ')})`,
    );
  }

  #checkColumns(columns: readonly string[]): void {
    if (columns.length !== this.#columns.length) {
      throw new InvalidShardKeyError(columns, `over ${this.#columns.length} columns`);
    }
  }
}
