import { isRetryable } from '../../src/errors.ts';
import { type Entry, follow, type ManagedStore } from '../../src/index.ts';

/** A reader of `follow`, which begins again when its first list failed. */
export class Follower {
  readonly prefix: string;
  readonly #store: ManagedStore;
  readonly #end = new AbortController();
  readonly #over: Promise<void>;
  #view: ReadonlyMap<string, Entry> = new Map();
  /** An error that is no reason to begin again. */
  failure: unknown;

  constructor(store: ManagedStore, prefix: string) {
    this.#store = store;
    this.prefix = prefix;
    this.#over = this.#run();
  }

  /** What it has that a list has not, or the other way round. */
  async difference(): Promise<string | undefined> {
    const listed = new Map<string, string>();
    for await (const { key, version } of this.#store.list(this.prefix)) listed.set(key, version);
    const wrong = [...new Set([...listed.keys(), ...this.#view.keys()])].filter(
      key => listed.get(key) !== this.#view.get(key)?.version,
    );
    if (wrong.length === 0) return undefined;
    const [key] = wrong as [string];
    const has = (version: string | undefined) => (version === undefined ? 'nothing' : 'a version');
    return `a reader has ${has(this.#view.get(key)?.version)} of a key of which the store has ${has(listed.get(key))}`;
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#over;
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        for await (const view of follow(this.#store, this.prefix, { signal })) this.#view = view;
      } catch (error) {
        if (!isRetryable(error)) {
          this.failure = error;
          return;
        }
        await new Promise(resolve => setTimeout(resolve, 20));
      }
    }
  }
}
