/** One call, as far as it concerns one key or name. */
export interface Event<S> {
  /** What it was, for people. */
  readonly told: string;
  /** It took effect between these times, if it did. */
  readonly from: number;
  readonly to: number;
  /** Whether it may have had no effect, because its outcome is not known. */
  readonly isOptional: boolean;
  /** The states that it may lead to; none when it cannot have gone so. */
  after(state: S): readonly S[];
}

/** Beyond this many attempts it is taken for explained. */
const most = 50_000;

/**
 * Whether there is an order of the events, each within its time, in which every one has gone as it did: linearizability
 * (Wing and Gong, "Testing and Verifying Concurrent Objects", 1993; with the memory of Lowe, 2017).
 */
export function isExplained<S>(
  events: readonly Event<S>[],
  initial: S,
  nameOf: (state: S) => string,
): boolean {
  const tried = new Set<string>();
  let left = most;
  const isDone = events.map(() => false);
  const search = (state: S): boolean => {
    const known = `${isDone.map(Number).join('')} ${nameOf(state)}`;
    if (tried.has(known)) return false;
    tried.add(known);
    if (left-- <= 0) return true;
    let end = Infinity;
    for (const [index, { to, isOptional }] of events.entries()) {
      if (!isDone[index] && !isOptional) end = Math.min(end, to);
    }
    if (end === Infinity && events.every(({ isOptional }, index) => isOptional || isDone[index])) return true;
    for (const [index, event] of events.entries()) {
      if (isDone[index] || event.from > end) continue;
      isDone[index] = true;
      if (event.after(state).some(search)) return true;
      isDone[index] = false;
    }
    return false;
  };
  return search(initial);
}
