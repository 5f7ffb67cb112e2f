import fc from 'fast-check';

/** What is fuzzed: cases of the kind `Plan`, each played on every site. */
export interface Fuzzed<Plan, Site extends AsyncDisposable> {
  readonly sites: readonly string[];
  /** Starts a site, or says why that cannot be. */
  start(name: string): Promise<Site | string>;
  plansFor(site: Site): fc.Arbitrary<Plan>;
  /** Plays a case and says what breaks a promise; nothing when all is well. */
  play(site: Site, plan: Plan): Promise<readonly string[]>;
}

export interface FuzzOptions<Plan = unknown> {
  readonly seed: number;
  /** How many cases on each site. */
  readonly runs: number;
  /** No case of a site begins later than so, from its start. */
  readonly withinMs: number;
  /** Default: all sites. */
  readonly only?: readonly string[];
  /** The only case, on each of these sites. */
  readonly plan?: Plan;
  /** A site ends with its first finding; else one of each kind is found. */
  readonly first?: boolean;
  /** How long a finding is made smaller, in milliseconds. Default: 20 000. */
  readonly shrinkMs?: number;
  readonly signal?: AbortSignal;
  readonly onCase?: (done: number) => void;
}

export interface Finding<Plan = unknown> {
  readonly site: string;
  /** Makes the same plan, with the path of the shrunk one. */
  readonly seed: number;
  readonly path: string;
  readonly smallest: Plan;
  readonly complaints: readonly string[];
}

export interface FuzzReport<Plan = unknown> {
  readonly cases: Readonly<Record<string, number>>;
  readonly tookMs: number;
  /** Why a site did not take part. */
  readonly skipped: readonly string[];
  readonly findings: readonly Finding<Plan>[];
  readonly uncaught: readonly string[];
}

/** Plays cases on all sites beside each other. Cleans up whatever happens. */
export async function fuzz<Plan, Site extends AsyncDisposable>(
  fuzzed: Fuzzed<Plan, Site>,
  options: FuzzOptions<Plan>,
): Promise<FuzzReport<Plan>> {
  const startedAt = performance.now();
  const fuzzer = new Fuzzer(fuzzed, options);
  const uncaught: string[] = [];
  const events = ['uncaughtException', 'unhandledRejection', 'warning'] as const;
  const listeners = events.map(event => {
    const note = (error: unknown) =>
      void uncaught.push(`${event}: ${error instanceof Error ? error.stack : String(error)}`);
    process.on(event, note);
    return () => process.off(event, note);
  });
  try {
    await Promise.all((options.only ?? fuzzed.sites).map(name => fuzzer.site(name)));
  } finally {
    for (const stop of listeners) stop();
  }
  options.signal?.throwIfAborted();
  const { cases, skipped, findings } = fuzzer;
  return { cases, tookMs: performance.now() - startedAt, skipped, findings, uncaught };
}

class Fuzzer<Plan, Site extends AsyncDisposable> {
  readonly cases: Record<string, number> = {};
  readonly skipped: string[] = [];
  readonly findings: Finding<Plan>[] = [];
  readonly #fuzzed: Fuzzed<Plan, Site>;
  readonly #options: FuzzOptions<Plan>;

  constructor(fuzzed: Fuzzed<Plan, Site>, options: FuzzOptions<Plan>) {
    this.#fuzzed = fuzzed;
    this.#options = options;
  }

  async site(name: string): Promise<void> {
    const site = await this.#fuzzed.start(name);
    if (typeof site === 'string') return void this.skipped.push(site);
    try {
      await this.#fuzz(name, site);
    } finally {
      await site[Symbol.asyncDispose]();
    }
  }

  async #fuzz(name: string, site: Site): Promise<void> {
    const { seed, runs, plan, first } = this.#options;
    const known = new Set<string>();
    const arbitrary = plan === undefined ? this.#fuzzed.plansFor(site) : fc.constant(plan);
    const all = plan === undefined ? runs : 1;
    this.cases[name] = 0;
    const endsAt = performance.now() + this.#options.withinMs;
    for (let round = 0; this.cases[name] < all && !this.#isOver(endsAt); round++) {
      const left = { numRuns: all - this.cases[name], endsAt };
      const finding = await this.#check(name, site, arbitrary, seed + round, left, known);
      if (finding === undefined) return;
      this.findings.push(finding);
      for (const complaint of finding.complaints) known.add(kindOf(complaint));
      if (first) return;
    }
  }

  /** Until the first case with a complaint of a new kind, which is made smaller. */
  async #check(
    name: string,
    site: Site,
    arbitrary: fc.Arbitrary<Plan>,
    seed: number,
    { numRuns, endsAt }: { readonly numRuns: number; readonly endsAt: number },
    known: ReadonlySet<string>,
  ): Promise<Finding<Plan> | undefined> {
    const { onCase } = this.#options;
    let until = endsAt;
    let smallest: { readonly plan: Plan; readonly complaints: readonly string[] } | undefined;
    const property = fc.asyncProperty(arbitrary, async plan => {
      if (performance.now() > until || this.#options.signal?.aborted) return;
      const complaints = await this.#fuzzed.play(site, plan);
      // One of each kind
      const unknown = [...new Map(complaints.map(each => [kindOf(each), each])).values()].filter(
        each => !known.has(kindOf(each)),
      );
      if (smallest === undefined) {
        this.cases[name]!++;
        onCase?.(Object.values(this.cases).reduce((sum, count) => sum + count));
      }
      if (unknown.length === 0) return;
      if (smallest === undefined) until = performance.now() + (this.#options.shrinkMs ?? 20_000);
      smallest = { plan, complaints: unknown };
      throw new Error(unknown[0]);
    });
    const { failed, counterexamplePath, errorInstance } = await fc.check(property, { seed, numRuns });
    if (!failed) return undefined;
    if (smallest === undefined) throw errorInstance; // The case could not be played
    const { plan, complaints } = smallest as { plan: Plan; complaints: readonly string[] };
    return { site: name, seed, path: counterexamplePath ?? '', smallest: plan, complaints };
  }

  #isOver(endsAt: number): boolean {
    return performance.now() > endsAt || this.#options.signal?.aborted === true;
  }
}

/** A complaint without what differs from case to case. */
function kindOf(complaint: string): string {
  return complaint
    .split('\n', 1)[0]!
    .replace(/"[^"]*"/g, '…')
    .replace(/\d+(\.\d+)?/g, '#');
}
