import fc from 'fast-check';
import type { Case, Setup, Step } from './case.ts';
import { setupsOver, type TierKind } from './grammar/setups.ts';
import { stepsFor } from './grammar/steps.ts';
import { Play, play } from './play.ts';
import { Violation } from './verdict/violation.ts';
import type { OpenTier } from './world/world.ts';

export interface FuzzOptions {
  readonly seed: number;
  readonly runs: number;
  /** No case begins later than so. */
  readonly withinMs?: number;
  readonly tiers: readonly TierKind[];
  /** For the tiers of real servers. */
  readonly openTier?: OpenTier | undefined;
  /** The only case to run. */
  readonly only?: Case | undefined;
  /** Ends with the first finding; else one of each kind is found. */
  readonly first?: boolean;
  /** How long smaller cases are tried for a finding, in milliseconds; 10 000 by default. */
  readonly shrinkMs?: number;
  readonly signal?: AbortSignal;
  readonly onCase?: (done: number) => void;
}

export interface Finding {
  /** Which invariant does not hold. */
  readonly kind: string;
  readonly detail: string;
  readonly seed: number;
  /** How often it was seen. */
  times: number;
  /** As small as it was possible to make it. */
  readonly smallest: Case;
}

export interface FuzzReport {
  readonly seed: number;
  readonly cases: number;
  readonly steps: number;
  readonly tookMs: number;
  readonly findings: readonly Finding[];
}

/** Cases of one kind of tier that run before the next kind has its turn. */
const batch = 25;

/** Plays random cases and reports which invariants do not hold, each with its smallest case. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { seed, runs, only, tiers, signal } = options;
  const fuzzer = new Fuzzer(options);
  if (only !== undefined) await fuzzer.once(only);
  for (let round = 0; only === undefined && fuzzer.cases < runs && !fuzzer.isOver; round++) {
    await fuzzer.round(tiers[round % tiers.length]!, seed + round, Math.min(batch, runs - fuzzer.cases));
  }
  signal?.throwIfAborted();
  return fuzzer.report();
}

/** A step as fast-check runs it, on the model that the play keeps. */
class StepCommand implements fc.AsyncCommand<Pick<Setup, 'gated'>, Play> {
  readonly step: Step;
  hasRun = false;

  constructor(step: Step) {
    this.step = step;
  }

  check({ gated }: Pick<Setup, 'gated'>): boolean {
    return gated || this.step.does !== 'release';
  }

  async run(_: Pick<Setup, 'gated'>, play: Play): Promise<void> {
    this.hasRun = true;
    await play.step(this.step);
  }

  toString(): string {
    return JSON.stringify(this.step);
  }
}

type Drawn = readonly [Setup, Iterable<fc.AsyncCommand<Pick<Setup, 'gated'>, Play>>];

class Fuzzer {
  readonly #options: FuzzOptions;
  readonly #findings = new Map<string, Finding>();
  readonly #startedAt = performance.now();
  cases = 0;
  #steps = 0;

  constructor(options: FuzzOptions) {
    this.#options = options;
  }

  get isOver(): boolean {
    const { withinMs = Number.POSITIVE_INFINITY, first, signal } = this.#options;
    if (first && this.#findings.size > 0) return true;
    return signal?.aborted === true || performance.now() - this.#startedAt > withinMs;
  }

  report(): FuzzReport {
    return {
      seed: this.#options.seed,
      cases: this.cases,
      steps: this.#steps,
      tookMs: performance.now() - this.#startedAt,
      findings: [...this.#findings.values()],
    };
  }

  async once(only: Case): Promise<void> {
    this.cases++;
    const violation = await violationOf(() => play(only, this.#options.openTier));
    if (violation !== undefined) this.#found(violation, this.#options.seed, only);
  }

  /** So many cases of one kind of tier. */
  async round(tier: TierKind, seed: number, runs: number): Promise<void> {
    const cases = casesOver(tier);
    let left = runs;
    let path: string | undefined;
    // after a finding it goes on with the next case
    while (left > 0 && !this.isOver) {
      const last: { violation: Violation | undefined } = { violation: undefined };
      const property = fc.asyncProperty(cases, async drawn => {
        if (this.isOver) return;
        this.cases++;
        last.violation = await violationOf(() => this.#play(drawn));
        if (last.violation !== undefined) throw last.violation;
      });
      const parameters = { seed, numRuns: left, endOnFailure: true, ...(path === undefined ? {} : { path }) };
      const details = await fc.check(property, parameters);
      if (!details.failed) return;
      const at = details.counterexamplePath!;
      const kind = last.violation!.kind;
      const before = this.#findings.get(kind);
      if (before !== undefined) before.times++;
      else await this.#shrink(cases, { seed, path: at }, last.violation!);
      const next = Number(at.split(':')[0]) + 1;
      left = runs - next;
      path = String(next);
    }
  }

  /** The smallest case with a violation of the same kind. */
  async #shrink(
    cases: fc.Arbitrary<Drawn>,
    replay: { readonly seed: number; readonly path: string },
    violation: Violation,
  ): Promise<void> {
    let smallest: { readonly violation: Violation; readonly case: Case } | undefined;
    const until = performance.now() + (this.#options.shrinkMs ?? 10_000);
    const property = fc.asyncProperty(cases, async drawn => {
      if (smallest !== undefined && performance.now() > until) return;
      const again = await violationOf(() => this.#play(drawn));
      if (again?.kind !== violation.kind) return;
      smallest = { violation: again, case: caseOf(drawn) };
      throw again;
    });
    await fc.check(property, { ...replay, numRuns: 1 });
    // what happens once and not again is a matter of moments
    if (smallest !== undefined) this.#found(smallest.violation, replay.seed, smallest.case);
  }

  async #play([setup, commands]: Drawn): Promise<void> {
    await using real = new Play(setup, this.#options.openTier);
    await fc.asyncModelRun(() => ({ model: setup, real }), commands);
    await real.end();
    this.#steps += [...commands].length;
    this.#options.onCase?.(this.cases);
  }

  #found({ kind, message }: Violation, seed: number, smallest: Case): void {
    const detail = message.slice(kind.length + 2);
    this.#findings.set(kind, { kind, detail, seed, times: 1, smallest });
  }
}

function casesOver(tier: TierKind): fc.Arbitrary<Drawn> {
  const steps: fc.Arbitrary<fc.AsyncCommand<Pick<Setup, 'gated'>, Play, false>>[] = stepsFor(tier).map(one =>
    one.map(step => new StepCommand(step)),
  );
  return fc.tuple(setupsOver(tier), fc.commands(steps, { maxCommands: 60, size: 'max' }));
}

function caseOf([setup, commands]: Drawn): Case {
  const steps = ([...commands] as unknown as readonly { readonly cmd: StepCommand }[])
    .map(({ cmd }) => cmd)
    .filter(({ hasRun }) => hasRun)
    .map(({ step }) => step);
  return { setup, steps };
}

/** Any other error is a fault of the fuzzer itself. */
async function violationOf(work: () => Promise<void>): Promise<Violation | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error;
    throw new Error('the fuzzer fails', { cause: error });
  }
}
