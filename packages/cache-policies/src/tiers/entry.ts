/** What the local tier holds under a key. Times are the cache's clock's, in milliseconds. */
export interface Slot<K, V> {
  readonly key: K;
  /** `undefined`: the source has nothing there. */
  readonly value: V | undefined;
  /** When it was asked for: what it says was so then, or later. */
  readonly at: number;
  /** `Infinity`: for ever. */
  readonly freshUntil: number;
  /** How long its load took. */
  readonly costMs: number;
  /** The number of changes of tags there had been when it was asked for. */
  readonly stamp: number;
  readonly tags: readonly string[];
  /** A load failed, or another process has it in hand: no refresh is begun before. */
  retryAt: number;
  /** The observer is told of each hit; else hits are only counted. Set as it is put into the local tier. */
  isFollowed: boolean;
}
