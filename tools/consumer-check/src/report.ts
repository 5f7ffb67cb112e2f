/** Tells each check as it ends, and counts. */
export class Report {
  readonly #print: (line: string) => void;
  passed = 0;
  failed = 0;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  step(title: string): void {
    this.#print(title);
  }

  /** `faults` is what is wrong; none when all is well. */
  add(check: string, faults: readonly string[]): void {
    if (faults.length === 0) this.passed += 1;
    else this.failed += 1;
    this.#print(`  ${faults.length === 0 ? 'ok  ' : 'FAIL'}  ${check}`);
    for (const fault of faults) this.#print(fault.replace(/^/gm, '          '));
  }

  summary(): string {
    return `${this.passed} passed, ${this.failed} failed`;
  }
}
