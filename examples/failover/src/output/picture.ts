import { type Column, columnMs, marks } from '../traffic/timeline.ts';

const heights = '▁▂▃▄▅▆▇█';

/** The columns as rows of text: each server, writes and reads. Neighbors are taken together until they fit. */
export function picture(columns: readonly Column[], ids: readonly string[], width: number): string {
  const together = Math.max(1, Math.ceil(columns.length / width));
  const groups: Column[][] = [];
  for (let at = 0; at < columns.length; at += together) groups.push(columns.slice(at, at + together));
  const last = groups.map(group => group.at(-1)!.servers);
  const widest = Math.max(...ids.map(id => id.length), 'writes'.length);
  const row = (name: string, line: string) => `${name.padEnd(widest)}  ${line}`;
  return [
    ...ids.map((id, index) => row(id, last.map(servers => servers[index]).join(''))),
    row(
      'writes',
      bars(groups, writeMark, ({ calls }) => calls.write),
    ),
    row(
      'reads',
      bars(
        groups,
        () => undefined,
        ({ calls }) => calls.read,
      ),
    ),
    row(
      '',
      `${together * columnMs} ms a column; ${marks.primary} primary, ${marks.replica} replica, ${marks.down} down, ${marks.fenced} fenced`,
    ),
  ].join('\n');
}

/** The latest writes, for a line that changes. */
export function recentWrites(columns: readonly Column[], width: number): string {
  const groups = columns.slice(-width).map(column => [column]);
  return bars(groups, writeMark, ({ calls }) => calls.write);
}

/** What says more than a number does: a write of unknown outcome, or one that failed. */
function writeMark(group: readonly Column[]): string | undefined {
  if (group.some(({ calls }) => calls.unknown > 0)) return '?';
  return group.some(({ calls }) => calls.failed > 0) ? '!' : undefined;
}

function bars(
  groups: readonly (readonly Column[])[],
  markOf: (group: readonly Column[]) => string | undefined,
  countOf: (column: Column) => number,
): string {
  const counts = groups.map(group => group.reduce((sum, column) => sum + countOf(column), 0));
  const most = Math.max(1, ...counts);
  const bar = (count: number) =>
    count === 0 ? '·' : heights[Math.ceil((count / most) * heights.length) - 1]!;
  return groups.map((group, index) => markOf(group) ?? bar(counts[index]!)).join('');
}
