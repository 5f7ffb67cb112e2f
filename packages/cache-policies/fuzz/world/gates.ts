/** Holds whatever passes through it until it is told to let one go, so that the steps decide the order of everything. */
export class Gates {
  readonly #held: (() => void)[] = [];
  isOpen: boolean;

  constructor(isOpen: boolean) {
    this.isOpen = isOpen;
  }

  async pass(): Promise<void> {
    if (this.isOpen) return;
    await new Promise<void>(resolve => this.#held.push(resolve));
  }

  release(choice: number): void {
    const [open] = this.#held.splice(choice % Math.max(1, this.#held.length), 1);
    open?.();
  }

  releaseAll(): void {
    for (const open of this.#held.splice(0)) open();
  }
}
