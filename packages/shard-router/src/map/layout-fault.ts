import { maxSlots } from '../ids/id.ts';
import { keyColumns } from '../keys/key-column.ts';
import { type Cut, KeyOrder, type KeyTexts, type Layout } from '../keys/layout.ts';
import type { SlotSpace } from '../keys/slot-space.ts';

/** What is wrong with the slots of a map, in words; undefined when nothing is. */
export function layoutFaultOf({ key, slots, layout, cuts = [] }: SlotSpace): string | undefined {
  if (!Number.isSafeInteger(slots) || slots < 1 || slots > maxSlots) return 'has no number of slots';
  const columns = typeof key === 'string' ? [key] : key;
  if (columns.length === 0 || !columns.every(column => keyColumns.includes(column)))
    return 'has an unknown type of key';
  if (!Array.isArray(cuts)) return 'has no list of cuts';
  const order = new KeyOrder(key);
  const isKey = (texts: unknown) => isKeyOf(order, texts);
  const base = slots - 2 * cuts.length;
  const fault = layout === undefined ? faultOfHash(base) : faultOfLayout(layout, base, slots, order, isKey);
  return fault ?? faultOfCuts(cuts, slots, isKey);
}

function faultOfHash(base: number): string | undefined {
  return base < 1 || (base & (base - 1)) !== 0 ? 'has no number of slots' : undefined;
}

function faultOfLayout(
  layout: Layout,
  base: number,
  slots: number,
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
  const { entries, rest } = layout;
  if (!Array.isArray(entries) || !entries.every(entry => isKey(entry?.key)))
    return 'has entries that are no keys';
  const numbers = [...entries.map(({ slot }) => slot), ...(rest === undefined ? [] : [rest])];
  const isEach = numbers.every(slot => Number.isSafeInteger(slot) && slot >= 0 && slot < slots);
  if (!isEach || new Set(numbers).size !== base || numbers.length !== base)
    return 'has entries with slots that there are not, or twice';
  const names = new Set(entries.map(entry => JSON.stringify(entry.key)));
  return names.size === entries.length ? undefined : 'has two entries of one key';
}

function faultOfCuts(
  cuts: readonly Cut[],
  slots: number,
  isKey: (texts: unknown) => boolean,
): string | undefined {
  const retired = new Set<number>();
  const made = new Set<number>();
  for (const { slot, kind, at, into } of cuts) {
    if ((kind !== 'from' && kind !== 'only') || !isKey(at)) return `has a cut of slot ${slot} at no key`;
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
