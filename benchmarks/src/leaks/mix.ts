/** A kind of request, and how many of a hundred are of it. */
export type Share<T> = readonly [share: number, name: string, kind: T];

/** Makes so many requests, so many at a time, of each kind its share, well mixed. */
export async function makeMixed<T>(
  shares: readonly Share<T>[],
  { times, concurrency }: { readonly times: number; readonly concurrency: number },
  make: (kind: T) => Promise<unknown>,
): Promise<void> {
  const ofHundred = shares.flatMap(([share, , kind]) => Array.from({ length: share }, () => kind));
  let made = 0;
  const worker = async () => {
    while (made < times) await make(ofHundred[(made++ * 37) % ofHundred.length]!);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}
