import { type Column, type KeyColumn, type KeyType, keyColumn, type ShardKey } from './key-column.ts';

/** Slots from `from` up to, and without, `to`. */
export interface Slice {
  readonly from: number;
  readonly to: number;
}

/** A key as the map keeps it: a text for each of its columns. */
export type KeyTexts = readonly string[];

/** How keys are in slots, where it is not by their hash. */
export type Layout =
  /** Slot 0 has the keys before the first bound, each next one those from a bound on. In order. */
  | { readonly kind: 'range'; readonly bounds: readonly KeyTexts[] }
  /** Each key has a slot, and `rest` has all others; without it they are refused. Of `tables`, the keys are the names of tables. */
  | {
      readonly kind: 'directory';
      readonly of?: 'tables';
      readonly entries: readonly DirectoryEntry[];
      readonly rest?: number;
      /** Entries that were forgotten: the next ones get their numbers. Until then, fences that have a number say which key they meant. */
      readonly free?: readonly DirectoryEntry[];
      /** Those that were forgotten while there were rows, whose ids have the number: no other key gets it. */
      readonly spent?: readonly DirectoryEntry[];
      /** The revision of the map in which what shards refuse of entries has changed last: one was forgotten, or may be written again. */
      readonly forgotAt?: number;
      /** Entries that are about to be made: their shards may let them in already, and refuse them again when it comes to nothing. */
      readonly admissions?: readonly Admission[];
    };

/** A key that a shard lets in before the map gives it that. */
export interface Admission {
  readonly key: KeyTexts;
  readonly shard: string;
  /** Of who makes the entry, or takes this back. */
  readonly token: string;
  /** It comes to nothing. */
  readonly isOver?: boolean;
}

/** A key of a directory, and its slot. */
export interface DirectoryEntry {
  readonly key: KeyTexts;
  readonly slot: number;
  /** It was forgotten while there were rows, and they may still be at another shard: no other key ever gets its number. */
  readonly isSpent?: boolean;
}

/** The entries of a directory that were forgotten, whose numbers no key has. */
export function forgottenOf(layout: Layout | undefined): readonly DirectoryEntry[] {
  return layout?.kind === 'directory' ? [...(layout.free ?? []), ...(layout.spent ?? [])] : [];
}

/** The entries of a directory that gives the numbers of forgotten ones to other keys, those included. */
export function numberedEntries({
  layout,
}: {
  readonly layout?: Layout | undefined;
}): readonly DirectoryEntry[] {
  if (layout?.kind !== 'directory' || layout.rest !== undefined) return [];
  return [...layout.entries, ...forgottenOf(layout)];
}

/**
 * A slot that was cut in two: its number is retired for good, so that a fence which has it still says which rows it meant. The second
 * part has the keys `from` the key on, or the key `only`; the first has the others.
 */
export interface Cut {
  readonly slot: number;
  readonly kind: 'from' | 'only';
  readonly at: KeyTexts;
  readonly into: readonly [number, number];
  /** Set when the two were joined again: which of `into` has the keys of both, or its parts have them. */
  readonly kept?: 0 | 1;
}

/** A slot whose keys another has got, which was beside it on its shard. Its number is retired too, and means that other one. */
export interface Join {
  readonly slot: number;
  readonly into: number;
}

/** The columns of keys of one type, and keys of it compared with those of a map. */
export class KeyOrder {
  readonly columns: readonly Column[];
  readonly #isList: boolean;

  constructor(type: KeyType) {
    const types: readonly KeyColumn[] = typeof type === 'string' ? [type] : type;
    this.columns = types.map(keyColumn);
    this.#isList = typeof type !== 'string';
  }

  /** @throws InvalidShardKeyError */
  toTexts(key: ShardKey): KeyTexts {
    return this.columns.map((column, i) => column.toText(this.#valueOf(key, i)));
  }

  fromTexts(texts: KeyTexts): readonly (string | number | bigint)[] {
    return this.columns.map((column, i) => column.fromText(texts[i]!));
  }

  /** Below 0 when the key is before the other. @throws InvalidShardKeyError */
  order(key: ShardKey, other: readonly (string | number | bigint)[]): number {
    let order = 0;
    for (let i = 0; i < this.columns.length; i++) {
      // All columns are checked, also where the first has decided
      const its = this.columns[i]!.order(this.#valueOf(key, i), other[i]!);
      if (order === 0) order = its;
    }
    return order;
  }

  /** Whether the columns have this key, in SQL. They must be quoted already. */
  isSql(columns: readonly string[], texts: KeyTexts): string {
    return `(${this.columns.map((column, i) => `${column.sql(columns[i]!)} = ${column.literal(texts[i]!)}`).join(' AND ')})`;
  }

  /** Whether the columns have this key or a later one, in SQL. */
  isFromSql(columns: readonly string[], texts: KeyTexts): string {
    const parts = this.columns.map((column, last) => {
      const isLast = last === this.columns.length - 1;
      const before = this.columns
        .slice(0, last)
        .map((each, i) => `${each.sql(columns[i]!)} = ${each.literal(texts[i]!)} AND `);
      return `${before.join('')}${column.sql(columns[last]!)} ${isLast ? '>=' : '>'} ${column.literal(texts[last]!)}`;
    });
    return `(${parts.join(' OR ')})`;
  }

  #valueOf(key: ShardKey, column: number): unknown {
    return this.#isList ? (key as readonly unknown[])[column] : key;
  }
}

/** Says which part of a map of ranges or of a directory has a key, before any cut. */
export interface Base {
  /** @throws InvalidShardKeyError */
  of(key: ShardKey): number | undefined;
  /** Whether the columns have a key of these slots, which are in order, in SQL. */
  amongSql(columns: readonly string[], slots: readonly number[]): string[];
}

export function baseOf(layout: Layout, order: KeyOrder): Base {
  return layout.kind === 'range' ? ranges(layout.bounds, order) : directory(layout, order);
}

function ranges(bounds: readonly KeyTexts[], order: KeyOrder): Base {
  const parsed = bounds.map(each => order.fromTexts(each));
  return {
    of(key) {
      let low = 0;
      let high = parsed.length;
      if (high === 0) order.toTexts(key); // Or nothing would check it
      while (low < high) {
        const middle = (low + high) >> 1;
        if (order.order(key, parsed[middle]!) < 0) high = middle;
        else low = middle + 1;
      }
      return low;
    },
    amongSql(columns, slots) {
      const sql: string[] = [];
      for (let i = 0; i < slots.length; i++) {
        const from = slots[i]!;
        let last = from;
        while (slots[i + 1] === last + 1) last = slots[++i]!;
        const parts = [
          ...(from === 0 ? [] : [order.isFromSql(columns, bounds[from - 1]!)]),
          ...(last === bounds.length ? [] : [`NOT ${order.isFromSql(columns, bounds[last]!)}`]),
        ];
        sql.push(parts.length === 0 ? 'true' : `(${parts.join(' AND ')})`);
      }
      return sql;
    },
  };
}

function directory(layout: Extract<Layout, { kind: 'directory' }>, order: KeyOrder): Base {
  const { entries, rest } = layout;
  const single = order.columns.length === 1 ? order.columns[0]! : undefined;
  const nameOf = (texts: KeyTexts) => (single === undefined ? JSON.stringify(texts) : texts[0]!);
  const slots = new Map(entries.map(({ key, slot }) => [nameOf(key), slot]));
  const bySlot = new Map([...entries, ...forgottenOf(layout)].map(({ key, slot }) => [slot, key]));
  const among = (columns: readonly string[], keys: readonly KeyTexts[]): string =>
    single === undefined
      ? `(${keys.map(key => order.isSql(columns, key)).join(' OR ')})`
      : `${single.sql(columns[0]!)} IN (${keys.map(([text]) => single.literal(text!)).join(', ')})`;
  return {
    of: key => slots.get(single === undefined ? nameOf(order.toTexts(key)) : single.toText(key)) ?? rest,
    amongSql(columns, wanted) {
      const keys = wanted.flatMap(slot => (slot === rest ? [] : [bySlot.get(slot)!]));
      const sql = keys.length === 0 ? [] : [among(columns, keys)];
      if (rest === undefined || !wanted.includes(rest)) return sql;
      const all = entries.map(({ key }) => key);
      return [...sql, all.length === 0 ? 'true' : `NOT ${among(columns, all)}`];
    },
  };
}
