import type { ShardMap } from '@ashlar/shard-router';

const marks = { all: '█', part: '▄', going: '▒', coming: '░', none: '·' } as const;

const columns = 64;

/** Who has which slots: a row for each shard, and a column for as many slots as there are of them. */
export function picture(map: ShardMap, shards: readonly string[]): string {
  const owners = ownersOf(map);
  const perColumn = Math.ceil(map.slots / columns);
  const lines = shards.map(shard => {
    let line = '';
    for (let from = 0; from < map.slots; from += perColumn) {
      line += markOf(map, owners, shard, from, Math.min(map.slots, from + perColumn));
    }
    const count = owners.filter(owner => owner === shard).length;
    return `${shard.padEnd(6)} ${line} ${String(count).padStart(4)}`;
  });
  return lines.join('\n');
}

/** How many slots each shard has. */
export function slotCounts(map: ShardMap, shards: readonly string[]): Record<string, number> {
  const owners = ownersOf(map);
  return Object.fromEntries(shards.map(shard => [shard, owners.filter(owner => owner === shard).length]));
}

function markOf(map: ShardMap, owners: readonly string[], shard: string, from: number, to: number): string {
  const moves = map.moves.filter(({ slices }) => slices.some(slice => slice.from < to && from < slice.to));
  const had = owners.slice(from, to).filter(owner => owner === shard).length;
  const isOpen = ({ step }: ShardMap['moves'][number]) => step !== 'committed' && step !== 'finishing';
  if (moves.some(move => move.from === shard && isOpen(move))) return marks.going;
  if (had === to - from) return marks.all;
  if (moves.some(move => move.to === shard && isOpen(move))) return marks.coming;
  return had > 0 ? marks.part : marks.none;
}

function ownersOf({ ranges, slots }: ShardMap): string[] {
  return ranges.flatMap(({ from, shard }, index) =>
    Array<string>((ranges[index + 1]?.from ?? slots) - from).fill(shard),
  );
}
