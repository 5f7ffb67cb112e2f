import { AshlarError, describe } from '@ashlar/core';

/** A look-up in a placement in which no node may own a key. */
export class EmptyPlacementError extends AshlarError {
  static override readonly code: string = 'ASHLAR_HASH_RING_EMPTY_PLACEMENT';

  constructor() {
    super('no node can own a key: the placement is empty, or every node is down or has weight 0');
  }
}

/** A node was given twice. */
export class DuplicateNodeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_HASH_RING_DUPLICATE_NODE';
  readonly id: string;

  constructor(id: string) {
    super(`node ${describe(id)} is there already; ids are unique within a placement`);
    this.id = id;
  }
}

/** A node was named that the placement does not have. */
export class UnknownNodeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_HASH_RING_UNKNOWN_NODE';
  readonly id: string;

  constructor(id: string) {
    super(`there is no node ${describe(id)} in this placement`);
    this.id = id;
  }
}
