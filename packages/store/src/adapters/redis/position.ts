/** A position in the log of changes. Without an epoch, there is no log. */
export class Position {
  readonly epoch: string | undefined;
  readonly seq: number;

  constructor(epoch: string | null | undefined, seq: string | null | undefined) {
    this.epoch = epoch ?? undefined;
    this.seq = Number(seq ?? 0);
  }

  /** Of an entry of the log. */
  static of(id: string): Position {
    const [epoch, seq] = id.split('-');
    return new Position(epoch, seq);
  }

  get id(): string {
    return this.epoch === undefined ? '0-0' : `${this.epoch}-${this.seq}`;
  }

  isBefore(later: Position): boolean {
    return this.epoch !== later.epoch || this.seq < later.seq;
  }

  /** Whether nothing lies between. */
  isFollowedBy(later: Position): boolean {
    if (this.epoch === undefined) return later.seq === 1;
    return this.epoch === later.epoch && this.seq + 1 === later.seq;
  }

  /** Whether a log that ends here never ended there, so that it is another log by now. */
  contradicts(earlier: Position): boolean {
    if (earlier.epoch === undefined) return false;
    return this.epoch !== earlier.epoch || this.seq < earlier.seq;
  }
}
