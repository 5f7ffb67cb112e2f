/** The name that is fewest edits away (Levenshtein), when that is few enough to have been meant. */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(typed.length / 2.5)) + 1;
  for (const name of names) {
    const edits = editsBetween(typed, name);
    if (edits >= fewest) continue;
    fewest = edits;
    best = name;
  }
  return best;
}

function editsBetween(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      line.push(Math.min(replaced, above[column]! + 1, line[column - 1]! + 1));
    }
    above = line;
  }
  return above[b.length]!;
}
