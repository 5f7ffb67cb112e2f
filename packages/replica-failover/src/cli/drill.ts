import type { SwitchoverReport } from '../authority.ts';
import { UnsupportedConsistencyError } from '../errors.ts';
import type { AnySet } from './target.ts';

/** Milliseconds between two probes. */
const pauseMs = 5;
/** How many probes of each kind begin before the primary changes, and end after it. */
const around = 10;
/** Errors that a report quotes. */
const maxErrors = 5;

export interface ProbeReport {
  readonly count: number;
  readonly failed: number;
  /** The longest time between two that succeeded, in milliseconds. */
  readonly longestGapMs: number;
  /** What the first that failed have said. */
  readonly errors: readonly string[];
}

export interface DrillReport {
  readonly switchovers: readonly SwitchoverReport[];
  /** Transactions of nothing, with a strong read where the backend has one: so a commit that is acknowledged. */
  readonly writes: ProbeReport;
  /** Reads of any replica. */
  readonly reads: ProbeReport;
}

/** Hands over, and back if wanted, while probes that change nothing show what callers would have noticed. */
export async function drill(
  set: AnySet,
  options: { readonly to: string | undefined; readonly back: boolean; readonly signal: AbortSignal },
): Promise<DrillReport> {
  const writes = new Probe(write(set));
  const reads = new Probe(() => set.read(async () => {}, { consistency: 'eventual' }));
  const probes = [writes, reads];
  const running = probes.map(each => each.run());
  const switchovers: SwitchoverReport[] = [];
  try {
    await Promise.all(probes.map(each => each.more(around)));
    switchovers.push(await set.switchover({ to: options.to, signal: options.signal }));
    await Promise.all(probes.map(each => each.more(around)));
    if (options.back) {
      const { from, before } = switchovers[0]!;
      if (before === 'fenced')
        throw new Error(`${from} stays fenced, as no hook rewinds it: it cannot lead again`);
      await follows(set, from, options.signal);
      switchovers.push(await set.switchover({ to: from, signal: options.signal }));
      await Promise.all(probes.map(each => each.more(around)));
    }
  } finally {
    for (const each of probes) each.stop();
    await Promise.all(running);
  }
  return { switchovers, writes: writes.report(), reads: reads.report() };
}

/** Waits until a primary of before follows. Rejects when it is in quarantine, and when nobody rewinds it. */
export async function follows(set: AnySet, id: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const { servers, leading } = set.snapshot();
    const note = leading?.notes[id];
    if (note?.state === 'quarantined') throw new Error(`${id} is in quarantine: ${note.why}`);
    const server = servers.find(each => each.id === id);
    if (note === undefined && server?.state === 'up' && server.role === 'replica') return;
    await new Promise(resolve => setTimeout(resolve, pauseMs));
  }
}

function write(set: AnySet): () => Promise<unknown> {
  let isProven = true;
  return async () => {
    await set.transaction(async () => {});
    if (!isProven) return;
    await set
      .read(async () => {}, { consistency: 'strong' })
      .catch(error => {
        if (!(error instanceof UnsupportedConsistencyError)) throw error;
        isProven = false;
      });
  };
}

/** One kind of call, made again and again. */
class Probe {
  readonly #call: () => Promise<unknown>;
  readonly #errors: string[] = [];
  #isOver = false;
  #count = 0;
  #failed = 0;
  #longestGapMs = 0;
  #succeededAt = performance.now();
  #onEach: () => void = () => {};

  constructor(call: () => Promise<unknown>) {
    this.#call = call;
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#call();
        const now = performance.now();
        this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#succeededAt);
        this.#succeededAt = now;
      } catch (error) {
        this.#failed++;
        if (this.#errors.length < maxErrors) this.#errors.push(String(error));
      }
      this.#count++;
      this.#onEach();
      await new Promise(resolve => setTimeout(resolve, pauseMs));
    }
  }

  /** Resolves when so many more have ended. */
  more(count: number): Promise<void> {
    const until = this.#count + count;
    return new Promise(resolve => {
      this.#onEach = () => {
        if (this.#count >= until) resolve();
      };
    });
  }

  stop(): void {
    this.#isOver = true;
  }

  report(): ProbeReport {
    const longestGapMs = Math.round(this.#longestGapMs);
    return { count: this.#count, failed: this.#failed, longestGapMs, errors: this.#errors };
  }
}
