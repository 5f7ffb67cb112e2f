import { type Flags, type GivenFlags, Screen } from '@workspace/program';
import type { DeadLetterBox, ReadDeadLetter } from '../operating/dead-letter-box.ts';
import type { Target } from './target.ts';

/** Which dead letters. */
interface Selection {
  readonly ids: ReadonlySet<string> | undefined;
  /** A part of the reason. */
  readonly reason: string | undefined;
  readonly limit: number;
}

export const selectionFlags: Flags = {
  id: { value: 'LIST', help: 'only those with these ids, separated by commas' },
  reason: { value: 'TEXT', help: 'only those whose reason has this in it' },
  limit: { value: 'COUNT', help: 'at most so many (default: all)' },
};

export function selectionOf(given: GivenFlags): Selection {
  const ids = given.get('id');
  return {
    ids: ids === undefined ? undefined : new Set(ids.split(',').map(id => id.trim())),
    reason: given.get('reason'),
    limit: given.integer('limit', Infinity, [1, Number.MAX_SAFE_INTEGER]),
  };
}

export function isChosen({ id, reason }: ReadDeadLetter, chosen: Selection): boolean {
  if (chosen.ids !== undefined && !chosen.ids.has(id)) return false;
  return chosen.reason === undefined || reason.includes(chosen.reason);
}

/** How often progress is told where there is no terminal, in dead letters. */
const everyLetters = 10_000;

/** Redrives or purges dead letters in chunks: those that there are when it begins. */
export class Sweep {
  readonly #target: Target;
  readonly #selection: Selection;
  readonly #action: 'redrive' | 'purge';
  readonly #chunk: number;
  readonly #screen: Screen;

  constructor(target: Target, selection: Selection, action: 'redrive' | 'purge', chunk: number) {
    this.#target = target;
    this.#selection = selection;
    this.#action = action;
    this.#chunk = chunk;
    const { TERM, NO_COLOR } = process.env;
    this.#screen = new Screen(process.stderr, { TERM, NO_COLOR });
  }

  /** How many it would take. */
  async count(): Promise<number> {
    return (await this.#ids()).length;
  }

  /** How many were taken; fewer when the signal aborts. Rejects with the backend's error, after saying how far it was. */
  async run(signal: AbortSignal): Promise<number> {
    const ids = await this.#ids();
    let done = 0;
    try {
      for (let start = 0; start < ids.length && !signal.aborted; start += this.#chunk) {
        done += await this.#box[this.#action]({ ids: ids.slice(start, start + this.#chunk) });
        this.#tell(Math.min(start + this.#chunk, ids.length), ids.length);
      }
    } catch (error) {
      this.#end();
      this.#screen.print(`${done} of ${ids.length} are done; the same command goes on with the rest`);
      throw error;
    }
    this.#end();
    return done;
  }

  get #box(): DeadLetterBox {
    return this.#target.queue.dead(this.#target.topic, this.#target.group);
  }

  async #ids(): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const letter of this.#box) {
      if (ids.length >= this.#selection.limit) break;
      if (isChosen(letter, this.#selection)) ids.push(letter.id);
    }
    return ids;
  }

  #tell(done: number, all: number): void {
    const text = `${this.#action}: ${done} of ${all}`;
    if (this.#screen.live) this.#screen.change(text);
    else if (Math.floor(done / everyLetters) > Math.floor((done - this.#chunk) / everyLetters))
      this.#screen.print(text);
  }

  #end(): void {
    if (this.#screen.live) this.#screen.change('');
  }
}
