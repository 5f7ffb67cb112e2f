import { InvalidOptionError, refused } from '@ashlar/core';
import { InvalidShardKeyError } from '../errors/routing.ts';
import { maxSlots } from '../ids/id.ts';
import type { KeyType, ShardKey } from '../keys/key-column.ts';
import { KeyOrder, type KeyTexts, type Layout } from '../keys/layout.ts';
import { mapFormat, rangesOf, type ShardMap } from './shard-map.ts';

/** The keys from `from` up to, and without, `to`; without one of them, from the first or to the last. */
export interface RangeParts {
  readonly kind: 'range';
  /** Without gap or overlap, in any order. */
  readonly parts: readonly { readonly from?: ShardKey; readonly to?: ShardKey; readonly shard: string }[];
}

export interface DirectoryParts {
  readonly kind: 'directory';
  readonly entries: readonly { readonly key: ShardKey; readonly shard: string }[];
  /** The shard of all other keys. Without one they are refused. */
  readonly rest?: string;
}

/** Whole tables on shards (vertical partitioning): keys are the names of tables, and tables have no columns in `key`. */
export interface TableParts {
  readonly kind: 'tables';
  /** The shard of each table. */
  readonly tables: Readonly<Record<string, string>>;
}

/** How the first map has keys in slots. */
export type LayoutSpec = { readonly kind: 'hash' } | RangeParts | DirectoryParts | TableParts;

/**
 * The first map, the same in all processes. By hash: the slots in equal parts, in the order of the names.
 *
 * @throws InvalidOptionError for a gap, an overlap, a key twice, an unknown shard
 */
export function firstMap(
  key: KeyType,
  slots: number,
  shards: readonly string[],
  layout: LayoutSpec = { kind: 'hash' },
): ShardMap {
  const first = { format: mapFormat, epoch: 1, revision: 1, key, moves: [] };
  if (layout.kind === 'hash') {
    const names = [...shards].sort().slice(0, slots);
    const ranges = names.map((shard, i) => ({ from: Math.ceil((i * slots) / names.length), shard }));
    return { ...first, slots, ranges };
  }
  const order = new KeyOrder(key);
  const parts = partsOf(layout, order);
  const unknown = parts.owners.find(shard => !shards.includes(shard));
  if (unknown !== undefined) throw refused('layout', `for the shards ${shards.join(', ')}`, unknown);
  if (parts.owners.length > maxSlots)
    throw refused('layout', `of at most ${maxSlots} parts`, parts.owners.length);
  return { ...first, slots: parts.owners.length, layout: parts.layout, ranges: rangesOf(parts.owners) };
}

interface Placed {
  readonly layout: Layout;
  /** The shard of each slot. */
  readonly owners: readonly string[];
}

function partsOf(layout: Exclude<LayoutSpec, { kind: 'hash' }>, order: KeyOrder): Placed {
  if (layout.kind === 'range') return ofRanges(layout, order);
  if (layout.kind === 'directory') return ofDirectory(layout, order);
  const entries = Object.entries(layout.tables).map(([key, shard]) => ({ key, shard }));
  const { layout: its, owners } = ofDirectory({ kind: 'directory', entries }, order);
  return { layout: { ...its, of: 'tables' } as Layout, owners };
}

function ofRanges({ parts }: RangeParts, order: KeyOrder): Placed {
  if (parts.length === 0) throw refused('layout.parts', 'a list of ranges', parts);
  const named = parts.map(({ from, to, shard }, i) => ({
    from: from === undefined ? undefined : textsOf(order, from, `layout.parts[${i}].from`),
    to: to === undefined ? undefined : textsOf(order, to, `layout.parts[${i}].to`),
    key: from,
    shard,
  }));
  // The first of all, then by their beginnings
  const sorted = [...named].sort((a, b) => {
    if (a.from === undefined || b.from === undefined)
      return Number(b.from === undefined) - Number(a.from === undefined);
    return order.order(a.key!, order.fromTexts(b.from));
  });
  let end: KeyTexts | undefined | 'nothing' = 'nothing';
  for (const { from, to, key } of sorted) {
    if (end === 'nothing') {
      if (from !== undefined) throw gap('the first key', wordsOf(from));
    } else if (end === undefined || from === undefined) throw overlap(wordsOf(from));
    else {
      const between = order.order(key!, order.fromTexts(end));
      if (between > 0) throw gap(wordsOf(end), wordsOf(from));
      if (between < 0) throw overlap(wordsOf(from));
    }
    if (to !== undefined && from !== undefined && order.order(key!, order.fromTexts(to)) >= 0)
      throw new InvalidOptionError(
        'layout',
        `a range of \`layout\` ends at ${wordsOf(to)}, not after its beginning`,
      );
    end = to;
  }
  if (end !== undefined) throw gap(wordsOf(end as KeyTexts), 'the last key');
  const bounds = sorted.flatMap(({ from }) => (from === undefined ? [] : [from]));
  return { layout: { kind: 'range', bounds }, owners: sorted.map(({ shard }) => shard) };
}

function ofDirectory({ entries, rest }: DirectoryParts, order: KeyOrder): Placed {
  const placed = entries.map(({ key }, slot) => ({
    key: textsOf(order, key, `layout.entries[${slot}].key`),
    slot,
  }));
  const seen = new Set<string>();
  for (const { key } of placed) {
    const name = JSON.stringify(key);
    if (seen.has(name))
      throw new InvalidOptionError('layout', `\`layout\` names the key ${wordsOf(key)} twice`);
    seen.add(name);
  }
  const owners = [...entries.map(({ shard }) => shard), ...(rest === undefined ? [] : [rest])];
  if (owners.length === 0) throw refused('layout.entries', 'a list of entries, or with a `rest`', entries);
  const layout = {
    kind: 'directory',
    entries: placed,
    ...(rest !== undefined && { rest: entries.length }),
  } as const;
  return { layout, owners };
}

function textsOf(order: KeyOrder, key: ShardKey, option: string): KeyTexts {
  try {
    const length = Array.isArray(key) ? key.length : 1;
    if (length === order.columns.length) return order.toTexts(key);
    throw new InvalidShardKeyError(key, `of ${order.columns.length} columns`);
  } catch (error) {
    throw new InvalidOptionError(option, `\`${option}\`: ${(error as Error).message}`, { cause: error });
  }
}

function wordsOf(texts: KeyTexts | undefined): string {
  if (texts === undefined) return 'the first key';
  return texts.length === 1 ? JSON.stringify(texts[0]) : JSON.stringify(texts);
}

function gap(from: string, to: string): InvalidOptionError {
  return new InvalidOptionError('layout', `\`layout\` has no shard for the keys from ${from} to ${to}`);
}

function overlap(at: string): InvalidOptionError {
  return new InvalidOptionError('layout', `\`layout\` has two shards for the keys from ${at} on`);
}
