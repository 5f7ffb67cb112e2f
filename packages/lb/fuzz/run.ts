import type { Case } from './case.ts';
import { caseOf } from './grammar/cases.ts';
import { shrink } from './shrink.ts';
import { differencesFrom } from './verdict/comparison.ts';
import { type Difference, type Known, kindOf } from './verdict/difference.ts';
import { brokenRules } from './verdict/rules.ts';
import { RecordingEndpoint } from './wire/endpoint.ts';
import { type Observation, observe } from './wire/observe.ts';
import { type PeerName, peer, peerNames, type Subject, startOurs, type Wrap } from './wire/subjects.ts';

export interface FuzzOptions {
  readonly seed: number;
  readonly runs: number;
  /** The number of the only case to run, or the case itself. */
  readonly only?: number | Case | undefined;
  readonly known: readonly Known[];
  readonly lanes?: number;
  /** No case begins later than so. */
  readonly withinMs?: number;
  readonly signal?: AbortSignal;
  readonly wrap?: Wrap;
  /** Whom ours is compared with; both by default. */
  readonly peers?: readonly PeerName[];
  /** Ends with the first unknown difference; else one of each kind is found. */
  readonly first?: boolean;
  /** How many smaller cases are tried for a finding; 60 by default. */
  readonly shrinkSteps?: number;
  readonly onCase?: (done: number) => void;
}

export interface Finding {
  readonly seed: number;
  /** Its number; absent for a case that was given. */
  readonly index: number | undefined;
  readonly difference: Difference;
  readonly smallest: Case;
  /** How many cases had a difference of this kind. */
  times: number;
}

export interface FuzzReport {
  readonly cases: number;
  readonly tookMs: number;
  readonly against: readonly string[];
  /** Why a peer did not take part. */
  readonly skipped: readonly string[];
  readonly findings: readonly Finding[];
  /** How many cases each entry of the table explained. */
  readonly explained: Readonly<Record<string, number>>;
  readonly uncaught: readonly string[];
}

/** Sends cases through all proxies and reports what differs. Cleans up whatever happens. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { only, runs, lanes = 32, wrap } = options;
  const count = only === undefined ? Math.min(lanes, runs) : 1;
  const skipped: string[] = [];
  const parts: Part[] = [];
  const endpoints: RecordingEndpoint[] = [];
  const start = async (starter: Starter) => {
    const own = Array.from({ length: count }, () => new RecordingEndpoint());
    endpoints.push(...own);
    await Promise.all(own.map(endpoint => endpoint.listen()));
    parts.push({ subject: await starter(own.map(({ port }) => port)), endpoints: own });
  };
  try {
    await start(targets => startOurs(targets, wrap));
    for (const name of options.peers ?? peerNames) {
      const found = await peer(name);
      if (typeof found === 'string') skipped.push(found);
      else await start(found);
    }
    return await new Fuzzer(options, parts, skipped).run(count);
  } finally {
    await Promise.all(parts.map(({ subject }) => subject[Symbol.asyncDispose]()));
    await Promise.all(endpoints.map(endpoint => endpoint.close()));
  }
}

type Starter = (targets: readonly number[]) => Promise<Subject>;

interface Part {
  readonly subject: Subject;
  readonly endpoints: readonly RecordingEndpoint[];
}

class Fuzzer {
  readonly #options: FuzzOptions;
  readonly #parts: readonly Part[];
  readonly #skipped: readonly string[];
  readonly #findings = new Map<string, Finding>();
  readonly #explained: Record<string, number> = {};
  readonly #uncaught: string[] = [];
  readonly #underWay = new Set<number | undefined>();
  #next = 0;
  #done = 0;

  constructor(options: FuzzOptions, parts: readonly Part[], skipped: readonly string[]) {
    this.#options = options;
    this.#parts = parts;
    this.#skipped = skipped;
  }

  async run(lanes: number): Promise<FuzzReport> {
    const startedAt = performance.now();
    const onUncaught = (error: unknown) => {
      const stack = error instanceof Error ? error.stack : String(error);
      this.#uncaught.push(`seed ${this.#options.seed}, one of the cases ${[...this.#underWay]}: ${stack}`);
    };
    process.on('uncaughtException', onUncaught).on('unhandledRejection', onUncaught);
    const work = Array.from({ length: lanes }, (_, lane) => this.#lane(lane, startedAt));
    try {
      await Promise.all(work);
    } finally {
      process.off('uncaughtException', onUncaught).off('unhandledRejection', onUncaught);
    }
    this.#options.signal?.throwIfAborted();
    return {
      cases: this.#done,
      tookMs: performance.now() - startedAt,
      against: this.#parts.slice(1).map(({ subject }) => subject.name),
      skipped: this.#skipped,
      findings: [...this.#findings.values()],
      explained: this.#explained,
      uncaught: this.#uncaught,
    };
  }

  async #lane(lane: number, startedAt: number): Promise<void> {
    const { seed, runs, only, withinMs = Number.POSITIVE_INFINITY, first, signal, onCase } = this.#options;
    while (this.#next < (only === undefined ? runs : 1)) {
      if (performance.now() - startedAt > withinMs || signal?.aborted) return;
      if (first && this.#findings.size > 0) return;
      const number = this.#next++;
      const index = typeof only === 'object' ? undefined : (only ?? number);
      this.#underWay.add(index);
      await this.#case(lane, index, typeof only === 'object' ? only : caseOf(seed, index!));
      this.#underWay.delete(index);
      this.#done++;
      onCase?.(this.#done);
    }
  }

  async #case(lane: number, index: number | undefined, each: Case): Promise<void> {
    const differences = this.#unknown(each, await this.#differences(lane, each), true);
    for (const difference of differences) {
      const kind = kindOf(difference);
      const before = this.#findings.get(kind);
      if (before !== undefined) {
        before.times++;
        continue;
      }
      const fails = async (smaller: Case) => {
        const again = this.#unknown(smaller, await this.#differences(lane, smaller));
        return again.some(other => kindOf(other) === kind);
      };
      // What happens once in three times is a matter of moments
      if (!((await fails(each)) && (await fails(each)))) continue;
      if (this.#findings.has(kind)) continue;
      const finding = { seed: this.#options.seed, index, difference, smallest: each, times: 1 };
      this.#findings.set(kind, finding);
      finding.smallest = await shrink(each, fails, this.#options.shrinkSteps ?? 60);
      const smallest = this.#unknown(finding.smallest, await this.#differences(lane, finding.smallest));
      finding.difference = smallest.find(other => kindOf(other) === kind) ?? difference;
    }
  }

  #unknown(each: Case, differences: readonly Difference[], counts = false): Difference[] {
    return differences.filter(difference => {
      const entry = this.#options.known.find(one => one.explains(difference, each));
      if (entry === undefined) return true;
      if (counts) this.#explained[entry.name] = (this.#explained[entry.name] ?? 0) + 1;
      return false;
    });
  }

  async #differences(lane: number, each: Case): Promise<Difference[]> {
    const seen = await Promise.all(
      this.#parts.map(({ subject, endpoints }) => observe(subject, lane, endpoints[lane]!, each)),
    );
    const ours: Observation = seen[0]!;
    return [
      ...brokenRules(each, ours),
      ...this.#parts
        .slice(1)
        .flatMap(({ subject: { name } }, at) => differencesFrom(name as PeerName, each, ours, seen[at + 1]!)),
    ];
  }
}
