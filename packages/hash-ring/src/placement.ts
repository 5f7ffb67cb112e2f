/** What a placement assigns to a node. A string stands for its UTF-8 bytes: `'é'` and `Uint8Array.of(0xc3, 0xa9)` are the same key. */
export type Key = string | Uint8Array;

/**
 * A member of a placement. It may be an object of your own, such as an endpoint: a placement reads the fields below and
 * keeps no others. It refuses a field that looks like a misspelled one of these: `wieght`, `Weight`, `zon`.
 */
export interface RingNode {
  /** Unique within a placement, any non-empty string. Keys follow the id, not the position in a list. */
  readonly id: string;
  /** Its share of the keys relative to the other nodes, 0 to a million. A node of weight 0 owns no key. Default: 1. */
  readonly weight?: number;
  /** Where it can fail together with others: `getN` takes distinct zones first. */
  readonly zone?: string;
}

/**
 * Maps a key to the node that owns it. The contract of every placement of this package, and of your own.
 *
 * Pure and synchronous: no I/O, no timers, no randomness; two placements of the same nodes and options return the same
 * in every process. A key's order of preference is a permutation of the nodes that may own keys: those of weight above 0
 * that are not down. `get` returns its first; `getN` and `find` walk it.
 */
export interface Placement {
  /** How many nodes may own keys. */
  readonly size: number;
  /** The id of the node that owns the key. @throws EmptyPlacementError when `size` is 0. */
  get(key: Key): string;
  /**
   * Up to `count` distinct ids: first one of every zone in order of preference (a node without a zone counts as a
   * zone of its own), then the rest in order of preference. The first is always `get(key)`. Fewer than `count` when
   * `size` is smaller, none when it is 0.
   */
  getN(key: Key, count: number): string[];
  /** The first id in order of preference that `accept` returns true for; it sees each node once at most. Allocates nothing. */
  find(key: Key, accept: (id: string) => boolean): string | undefined;
  /**
   * The node's part, 0 to 1, of the weight of all nodes that may own keys; 0 for one that may not, or that is not
   * there. Absent where all nodes weigh the same.
   */
  shareOf?(id: string): number;
}
