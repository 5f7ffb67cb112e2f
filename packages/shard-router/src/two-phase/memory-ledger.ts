import { PartLostError } from '../errors/two-phase.ts';
import { AbortedElsewhere, type Decided, type Doubt, keptMs, type Ledger, type Verdict } from './ledger.ts';

interface Entry {
  readonly router: string;
  readonly verdict: Verdict;
  readonly participants: readonly string[];
  readonly at: number;
  settled: boolean;
}

interface Prepared {
  readonly at: number;
  end(verdict: Verdict): void;
}

/** What a shard in memory holds for transactions over several. */
export class Verdicts {
  readonly prepared: Map<string, Prepared> = new Map();
  readonly entries: Map<string, Entry> = new Map();
  /** The names of what has waited and is committed. */
  readonly committed: Set<string> = new Set();
}

/** The ledger of a shard in memory, as one of its clients has it. */
export class MemoryLedger implements Ledger {
  readonly #verdicts: Verdicts;
  /** What its transaction is to be called while it waits. */
  gid: string | undefined;
  #decision: (() => void) | undefined;

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  async ready(): Promise<void> {}

  async now(): Promise<number> {
    return Date.now();
  }

  async prepare(gid: string): Promise<void> {
    this.gid = gid;
  }

  async decide(id: string, router: string, participants: readonly string[]): Promise<void> {
    this.#decision = () => {
      if (this.#verdicts.entries.has(id)) throw new AbortedElsewhere(`transaction ${id} was taken for dead`);
      const entry = { router, verdict: 'commit', participants, at: Date.now(), settled: false } as const;
      this.#verdicts.entries.set(id, entry);
    };
  }

  /** Called with the commit of the transaction. @throws AbortedElsewhere */
  commit(): void {
    this.#decision?.();
  }

  async resolve(id: string, router: string): Promise<Verdict> {
    const { entries } = this.#verdicts;
    const abort = { router, verdict: 'abort', participants: [], at: Date.now(), settled: true } as const;
    if (!entries.has(id)) entries.set(id, abort);
    return entries.get(id)!.verdict;
  }

  async settle(gid: string, verdict: Verdict): Promise<void> {
    const { prepared, committed } = this.#verdicts;
    prepared.get(gid)?.end(verdict);
    if (prepared.delete(gid) && verdict === 'commit') committed.add(gid);
    if (verdict === 'commit' && !committed.has(gid)) throw new PartLostError(gid);
  }

  async inDoubt(prefix: string): Promise<readonly Doubt[]> {
    const now = Date.now();
    return [...this.#verdicts.prepared]
      .filter(([gid]) => gid.startsWith(prefix))
      .map(([gid, { at }]) => ({ gid, ageMs: now - at }));
  }

  async unsettled(router: string, olderThanMs: number): Promise<readonly Decided[]> {
    const latest = Date.now() - olderThanMs;
    return [...this.#verdicts.entries]
      .filter(([, entry]) => !entry.settled && entry.router === router && entry.at <= latest)
      .map(([id, { participants }]) => ({ id, participants }));
  }

  async settled(id: string): Promise<void> {
    const entry = this.#verdicts.entries.get(id);
    if (entry !== undefined) entry.settled = true;
  }

  async forget(router: string): Promise<void> {
    const latest = Date.now() - 2 * keptMs;
    for (const [id, entry] of this.#verdicts.entries)
      if (entry.settled && entry.router === router && entry.at < latest) this.#verdicts.entries.delete(id);
  }
}
