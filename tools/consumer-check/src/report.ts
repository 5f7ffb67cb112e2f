export interface Check {
  /** How it is told: `import @ashlar/lb/proxy`. */
  readonly check: string;
  /** What is wrong; nothing when all is well. */
  readonly faults: readonly string[];
}

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

  add({ check, faults }: Check): void {
    if (faults.length === 0) this.passed += 1;
    else this.failed += 1;
    this.#print(`  ${faults.length === 0 ? 'ok  ' : 'FAIL'}  ${check}`);
    for (const fault of faults) this.#print(fault.replace(/^/gm, '          '));
  }

  summary(): string {
    return `${this.passed} passed, ${this.failed} failed`;
  }
}
