import fc from 'fast-check';

export function sometimes<T>(arbitrary: fc.Arbitrary<T>, isPossible = true): fc.Arbitrary<T | undefined> {
  return isPossible ? fc.option(arbitrary, { nil: undefined, freq: 3 }) : fc.constant(undefined);
}

/** A record without what is undefined, as JSON has it. */
export function defined<T>(of: { readonly [Name in string]: fc.Arbitrary<unknown> }): fc.Arbitrary<T> {
  return fc
    .record(of)
    .map(
      record => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T,
    );
}
