import { maxSlots } from '../ids/id.ts';
import { keyColumns } from '../keys/key-column.ts';
import { type Cut, type Join, KeyOrder, type KeyTexts, type Layout } from '../keys/layout.ts';
import type { SlotSpace } from '../keys/slot-space.ts';

/** What is wrong with the slots of a map, in words; undefined when nothing is. */
export function layoutFaultOf({ key, slots, layout, cuts = [], joins = [] }: SlotSpace): string | undefined {
  if (!Number.isSafeInteger(slots) || slots < 1 || slots > maxSlots) return 'has no number of slots';
  const columns = typeof key === 'string' ? [key] : key;
  if (columns.length === 0 || !columns.every(column => keyColumns.includes(column)))
    return 'has an unknown type of key';
  if (!Array.isArray(cuts)) return 'has no list of cuts';
  if (!Array.isArray(joins)) return 'has no list of joins';
  const order = new KeyOrder(key);
  const isKey = (texts: unknown) => isKeyOf(order, texts);
  const base = slots - 2 * cuts.length;
  const made = new Set(cuts.flatMap(({ into }) => into));
  const left = joins.map(({ slot }) => slot).filter(slot => !made.has(slot));
  const fault =
    layout === undefined ? faultOfHash(base) : faultOfLayout(layout, { base, slots, left }, order, isKey);
  return fault ?? faultOfCuts(cuts, slots, isKey) ?? faultOfJoins(joins, cuts, slots);
}

function faultOfHash(base: number): string | undefined {
  return base < 1 || (base & (base - 1)) !== 0 ? 'has no number of slots' : undefined;
}

function faultOfLayout(
  layout: Layout,
  { base, slots, left }: { readonly base: number; readonly slots: number; readonly left: readonly number[] },
  order: KeyOrder,
  isKey: (texts: unknown) => boolean,
): string | undefined {
  if (layout.kind === 'range') {
    const { bounds } = layout;
    if (!Array.isArray(bounds) || !bounds.every(isKey)) return 'has bounds that are no keys';
    if (bounds.length + 1 !== base) return `has ${bounds.length} bounds for ${base} slots`;
    const isSorted = bounds.every((each, i) => i === 0 || isBefore(order, bounds[i - 1]!, each));
    return isSorted ? undefined : 'has bounds that are not in order';
  }
  if (layout.kind !== 'directory') return `has keys in slots by ${JSON.stringify((layout as Layout).kind)}`;
  const { entries, rest, free = [], spent = [], admissions = [] } = layout;
  if (!Array.isArray(entries) || !entries.every(entry => isKey(entry?.key)))
    return 'has entries that are no keys';
  if (![free, spent].every(each => Array.isArray(each) && each.every(entry => isKey(entry?.key))))
    return 'has forgotten entries that are no keys';
  if (!Array.isArray(admissions) || !admissions.every(each => isKey(each?.key) && /^\d+$/.test(each.token)))
    return 'has admissions that are no keys';
  const numbers = [
    ...entries.map(({ slot }) => slot),
    ...(rest === undefined ? [] : [rest]),
    ...[...free, ...spent].map(({ slot }) => slot),
    ...left,
  ];
  const isEach = numbers.every(slot => Number.isSafeInteger(slot) && slot >= 0 && slot < slots);
  if (!isEach || new Set(numbers).size !== base || numbers.length !== base)
    return 'has entries with slots that there are not, or twice';
  const keys = [...entries, ...free, ...spent].map(entry => JSON.stringify(entry.key));
  return new Set(keys).size === keys.length ? undefined : 'has two entries of one key';
}

function faultOfCuts(
  cuts: readonly Cut[],
  slots: number,
  isKey: (texts: unknown) => boolean,
): string | undefined {
  const retired = new Set<number>();
  const made = new Set<number>();
  for (const { slot, kind, at, into, kept } of cuts) {
    if ((kind !== 'from' && kind !== 'only') || !isKey(at)) return `has a cut of slot ${slot} at no key`;
    if (kept !== undefined && kept !== 0 && kept !== 1) return `has a cut of slot ${slot} that keeps no part`;
    const isPair = Array.isArray(into) && into.length === 2;
    const isNew =
      isPair &&
      into.every(part => Number.isSafeInteger(part) && part > slot && part < slots && !made.has(part));
    if (!Number.isSafeInteger(slot) || slot < 0 || retired.has(slot) || !isNew || into[0] === into[1])
      return `has a cut of slot ${slot} into slots that cannot be`;
    retired.add(slot);
    for (const part of into) made.add(part);
  }
  return undefined;
}

function faultOfJoins(joins: readonly Join[], cuts: readonly Cut[], slots: number): string | undefined {
  const gone = new Set(cuts.map(({ slot }) => slot));
  const isSlot = (slot: unknown) =>
    Number.isSafeInteger(slot) && (slot as number) >= 0 && (slot as number) < slots;
  const joined = new Set<number>();
  for (const { slot, into } of joins) {
    // What it was joined to may have been cut since, or joined to another
    if (
      !isSlot(slot) ||
      !isSlot(into) ||
      slot === into ||
      gone.has(slot) ||
      joined.has(slot) ||
      joined.has(into)
    )
      return `has slot ${slot} joined to slot ${into}, which cannot be`;
    joined.add(slot);
  }
  return undefined;
}

function isKeyOf(order: KeyOrder, texts: unknown): boolean {
  if (!Array.isArray(texts) || texts.length !== order.columns.length) return false;
  try {
    return order.columns.every(
      (column, i) => typeof texts[i] === 'string' && column.toText(column.fromText(texts[i])) === texts[i],
    );
  } catch {
    return false;
  }
}

function isBefore(order: KeyOrder, a: KeyTexts, b: KeyTexts): boolean {
  const values = order.fromTexts(a);
  return order.order(values.length === 1 ? values[0]! : values, order.fromTexts(b)) < 0;
}
