import { withDeadline } from '@ashlar/core';
import type { AuthorityContext } from '../../authority.ts';
import { FailoverRefusedError } from '../../errors.ts';
import { recruitsNeeded, type TermRecord } from '../record.ts';
import { othersOf, type Recruit, type Steps } from './steps.ts';

/** Milliseconds that recruits beyond those needed may take, which only makes the choice wider. */
const widerMs = 100;

/** Standbys that are detached, as they come in. */
export class Recruits {
  readonly #context: AuthorityContext;
  readonly #steps: Steps;
  readonly #term: number;
  readonly #all: Recruit[] = [];
  readonly #begun = new Map<string, Promise<unknown>>();
  readonly #over = new AbortController();
  #listener: () => void = () => {};

  constructor(context: AuthorityContext, steps: Steps, { term }: TermRecord) {
    this.#context = context;
    this.#steps = steps;
    this.#term = term;
    const stop = () => this.#over.abort(context.signal.reason);
    context.signal.addEventListener('abort', stop, { once: true, signal: this.#over.signal });
  }

  /** Those that there are. */
  get all(): readonly Recruit[] {
    return [...this.#all];
  }

  /** Detaches them; who is begun already goes on. */
  begin(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.#begun.has(id)) continue;
      const work = this.#steps.recruitOne(id, this.#term, this.#over.signal).then(recruit => {
        this.#all.push(recruit);
        this.#listener();
      });
      this.#begun.set(
        id,
        work.catch(() => {}),
      );
    }
  }

  /** Resolves when there are so many and those that are as quick, or no more will come. */
  async enough(count: number): Promise<void> {
    const { clock } = this.#context;
    const late = () => new FailoverRefusedError('recruiting took too long');
    const enough = new Promise<void>(resolve => {
      this.#listener = () => {
        if (this.#all.length >= count) resolve();
      };
      this.#listener();
    });
    const settled = Promise.all(this.#begun.values());
    await withDeadline({ timeoutMs: this.#steps.recruitMs, clock, late }, stop =>
      Promise.race([settled, enough.then(() => clock.sleep(widerMs, stop))]),
    ).catch(() => {});
  }

  /** Gives up those that have not come in. Resolves with those that have, when nothing goes on any more. */
  async ended(): Promise<readonly Recruit[]> {
    this.#over.abort(new FailoverRefusedError('recruiting is over'));
    await Promise.race([Promise.all(this.#begun.values()), this.#context.clock.sleep(widerMs)]);
    return this.all;
  }
}

/** Detaches standbys: as many as are needed, and those that are as quick. What is not recruited in time is left as it is. */
export async function recruit(
  context: AuthorityContext,
  steps: Steps,
  record: TermRecord,
): Promise<readonly Recruit[]> {
  const recruits = new Recruits(context, steps, record);
  recruits.begin(othersOf(record, record.primary));
  await recruits.enough(recruitsNeeded(record));
  return recruits.ended();
}
