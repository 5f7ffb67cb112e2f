import type { RunContext } from '../runs/context.ts';

/** What a source is given, besides what every run has. */
export interface SourceContext extends RunContext {
  /**
   * Read what has changed since this time, deletes too; the published version has what was there before. `undefined`: read
   * everything, as for the first version, and without `incremental`.
   */
  readonly since: Date | undefined;
  /**
   * Keeps where the source is, as JSON: in another attempt, `cursor` is this, and what was yielded before is kept. Call it between
   * two yields; what it costs is a write or two.
   */
  checkpoint(cursor: unknown): Promise<void>;
}

/**
 * Yields each key with its value; of a key that comes twice, the later value holds. A value of `undefined` deletes the key. It is
 * asked for the next entry when there is room for it, so it needs no limit of its own.
 */
export type Source<K, V> = (context: SourceContext) => AsyncIterable<readonly [K, V | undefined]>;
