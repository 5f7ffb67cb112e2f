/** An invariant that does not hold. */
export class Violation extends Error {
  /** Which one; findings of one kind are told once. */
  readonly kind: string;

  constructor(kind: string, detail: string) {
    super(`${kind}: ${detail}`);
    this.kind = kind;
  }
}
