/** Where the values come from: a database with one table. */
export interface Source {
  load(key: string): Promise<number>;
  write(key: string, value: number): Promise<void>;
}

/** How the cache is told that the source was written: the key is deleted, or is given the new value. */
export type How = 'delete' | 'set';

/** A server that the instances of a library share. */
export interface Place {
  readonly port: number;
  readonly prefix: string;
}

/** A cache over a source, as all libraries have it. */
export interface Instance {
  get(key: string): Promise<number | undefined>;
  /** Resolves when the source has the value and the cache has been told. */
  write(key: string, value: number): Promise<void>;
  close(): Promise<unknown>;
}

export interface Wish {
  readonly source: Source;
  readonly how: How;
  /** Without it, the cache is of its process alone. */
  readonly place: Place | undefined;
}

/** Makes an instance as the documentation of the library says, with its own way of telling other instances of changes. */
export type Library = (wish: Wish) => Promise<Instance>;

/** Longer than anything takes here, so that nothing ends by itself. */
export const ttlMs = 600_000;

/** The source is written first, then the cache is told. */
export function tell(
  { source, how }: Wish,
  {
    remove,
    put,
  }: { remove(key: string): Promise<unknown>; put(key: string, value: number): Promise<unknown> },
): Instance['write'] {
  return async (key, value) => {
    await source.write(key, value);
    await (how === 'delete' ? remove(key) : put(key, value));
  };
}
