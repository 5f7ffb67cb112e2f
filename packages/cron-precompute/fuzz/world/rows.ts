import type { VersionInfo } from '../../src/publish/pointer.ts';

export interface RowState {
  /** By the clock that is right. */
  readonly at: number;
  /** `undefined`: the row is gone. */
  readonly value: number | undefined;
}

export const rowCount = 6;

/** Clocks of processes differ by less. */
const skewMs = 45_000;

/** The rows that a source reads: a table with the time of the last change of each, also of those that are gone. */
export class Rows {
  readonly #states: RowState[][];
  #last = 0;

  constructor(at: number) {
    this.#states = Array.from({ length: rowCount }, () => [{ at, value: this.#last++ }]);
  }

  change(row: number, at: number, isGone: boolean): void {
    this.#states[row]!.push({ at, value: isGone ? undefined : this.#last++ });
  }

  /** What has changed since this time, and what it is now; in an order that stays. */
  since(ms: number): { readonly row: number; readonly value: number | undefined }[] {
    return this.#states.flatMap((states, row) => {
      const { at, value } = states.at(-1)!;
      return at >= ms ? [{ row, value }] : [];
    });
  }

  /** Every row is as it was at some time between the beginning of the read and the publish. */
  contradictions(entries: ReadonlyMap<string, unknown>, { dataAt, publishedAt }: VersionInfo): string[] {
    const found: string[] = [];
    for (const [row, states] of this.#states.entries()) {
      const got = entries.get(`row ${row}`);
      const may = states.filter(
        ({ at }, index) =>
          at <= publishedAt + skewMs && (states[index + 1]?.at ?? Infinity) >= dataAt - skewMs,
      );
      if (!may.some(({ value }) => value === got)) found.push(`a row is not as the source had it`);
    }
    const names = new Set(this.#states.map((_, row) => `row ${row}`));
    for (const key of entries.keys()) if (!names.has(key)) found.push(`an entry that no source has yielded`);
    return found;
  }
}
