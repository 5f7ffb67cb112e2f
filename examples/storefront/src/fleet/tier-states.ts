/** Which replicas have lost the tier that they share. */
export class TierStates {
  readonly #away = new Set<string>();
  #listener: (away: ReadonlySet<string>) => void = () => {};

  /** Calls back at once, and whenever there are others. */
  onChange(listener: (away: ReadonlySet<string>) => void): void {
    this.#listener = listener;
    listener(this.#away);
  }

  /** One that has ended lacks nothing. */
  note(replica: string, hasTier: boolean): void {
    if (hasTier !== this.#away.has(replica)) return;
    if (hasTier) this.#away.delete(replica);
    else this.#away.add(replica);
    this.#listener(this.#away);
  }
}
