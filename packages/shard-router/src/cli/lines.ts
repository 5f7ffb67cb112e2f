import { slicesOf } from '../keys/slices.ts';
import { Slots } from '../keys/slots.ts';
import type { Moving } from '../map/moving.ts';
import { ownersOf, type ShardMap } from '../map/shard-map.ts';
import type { MoveEvent } from '../moves/events.ts';
import type { ExtendedFences, Following, Slice } from '../moves/move-backend.ts';
import type { PlannedMove } from '../moves/planning.ts';

/** Slots as people write them: `0-127, 512`. */
function slotsText(slices: readonly Slice[]): string {
  return slices.map(({ from, to }) => (to - from === 1 ? `${from}` : `${from}-${to - 1}`)).join(', ');
}

export function planRows(plans: readonly PlannedMove[]): string[][] {
  const isWeighed = plans.some(({ weight }) => weight !== undefined);
  return [
    ['from', 'to', 'slots', 'rows', 'bytes', ...(isWeighed ? ['weight'] : [])],
    ...plans.map(({ from, to, slices, tables, weight }) => {
      const sum = (field: 'rows' | 'bytes') => String(tables.reduce((all, table) => all + table[field], 0));
      const weighs = isWeighed ? [String(Math.round(weight ?? 0))] : [];
      return [from, to, slotsText(slices), sum('rows'), sum('bytes'), ...weighs];
    }),
  ];
}

/** Who has which slots; where that is not by hash alone, also which keys they are. */
export function shardRows(map: ShardMap): string[][] {
  const slots = new Slots(map.key, map.slots, map);
  const owners = ownersOf(map);
  const shards = new Map<string, number[]>();
  for (const slot of slots.inOrder()) {
    const its = shards.get(owners[slot]!) ?? [];
    shards.set(owners[slot]!, its);
    its.push(slot);
  }
  const rows = [...shards].map(([shard, its]) => [shard, slotsText(slicesOf(its))]);
  const named = slots.inOrder().flatMap(slot => {
    const words = slots.words(slot);
    return words === undefined ? [] : [[owners[slot]!, `${slot}: ${words}`]];
  });
  return [['shard', 'slots'], ...rows, ...named];
}

export function moveRows(moves: readonly Moving[]): string[][] {
  return [
    ['move', 'from', 'to', 'slots', 'step'],
    ...moves.map(({ id, from, to, slices, step, back }) => [
      id,
      from,
      to,
      slotsText(slices),
      back ? `${step} (back)` : step,
    ]),
  ];
}

/** Whether a committed move can be rolled back, and what that costs. */
export function followingText({ state, retainedBytes }: Following): string {
  const kept = `${retainedBytes} bytes of log are kept for it`;
  if (state === 'follows') return `the old source follows; ${kept}`;
  if (state === 'waiting')
    return `the old source does not follow yet; ${kept}. \`move --id\` or \`watch\` goes on`;
  return 'the old source follows no more: it can only be finished';
}

/** The tables at which fences stand now. */
export function extendedText(extended: ExtendedFences): string {
  const lines = Object.entries(extended).flatMap(([shard, tables]) =>
    tables.map(
      ({ table, hasRows }) =>
        `${shard}: ${table}${hasRows ? ', which has rows that nobody is routed to' : ''}`,
    ),
  );
  return lines.length === 0 ? 'nothing to close' : lines.join('\n');
}

/** What happens, on one line. */
export function eventText({
  step,
  rows,
  ofRows,
  rowsPerSecond,
  etaMs,
  lagMs,
  pauseMs,
  words,
}: MoveEvent): string {
  const parts = [
    rows === undefined ? undefined : `${rows}${ofRows === undefined ? '' : ` of ${ofRows}`} rows`,
    rowsPerSecond === undefined ? undefined : `${Math.round(rowsPerSecond)} a second`,
    etaMs === undefined ? undefined : `${Math.ceil(etaMs / 1_000)} s left`,
    lagMs === undefined ? undefined : `${Math.round(lagMs)} ms behind`,
    pauseMs === undefined ? undefined : `no writes for ${Math.round(pauseMs)} ms`,
    words,
  ].filter(part => part !== undefined);
  return parts.length === 0 ? step : `${step}: ${parts.join(', ')}`;
}
