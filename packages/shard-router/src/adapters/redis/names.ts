/** The keys of a map's slots on a server, and the keys that say how the slots are there. */
export interface Names {
  /** The name of the map. */
  readonly map: string;
  /** What the keys of all slots begin with. */
  readonly prefix: string;
  /** For SCAN: the keys of all slots. */
  readonly pattern: string;
  /**
   * A hash. Field: the slot; value: a letter and the id of a move. `f`: writes are noted for the move; `c`: writes are refused while
   * the move goes on; `g`: they are refused for good. No field: the slot can be written. Its field `seq` counts the notes.
   */
  readonly slots: string;
  /** A hash: `<id>` is the token of who works on the move, `<id>:step` counts the steps, and there are more notes of the move. */
  readonly moves: string;
  /** With the id of a move, a hash: the keys that were written and are not at the other side yet, with the count of the write. */
  readonly dirty: string;
  /** With the id of a move, a set: the keys that have come since all were compared. */
  readonly touched: string;
}

export function namesOf(map: string): Names {
  const own = `ashlar:shards:${map}:`;
  const prefix = `{${map}:`;
  return {
    map,
    prefix,
    pattern: `${prefix.replaceAll(/[*?[\]\\]/g, String.raw`\$&`)}*`,
    slots: `${own}slots`,
    moves: `${own}moves`,
    dirty: `${own}dirty:`,
    touched: `${own}touched:`,
  };
}

/** What each key of the slot begins with. */
export function tagOf({ prefix }: Names, slot: number): string {
  return `${prefix}${slot}}:`;
}

/** The slot of a key; undefined of a key that has none. */
export function slotOfKey({ prefix }: Pick<Names, 'prefix'>, key: string): number | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const digits = /^(\d{1,4})\}:/.exec(key.slice(prefix.length, prefix.length + 6));
  return digits === null ? undefined : Number(digits[1]);
}
