/** The part of a store that a registry uses. `Store` of `@ashlar/store` has it, over memory, Redis or PostgreSQL. */
export interface RegistryStore {
  get(key: string): Promise<RegistryEntry | undefined>;
  set(key: string, value: Uint8Array, options: { readonly ttlMs: number }): Promise<string>;
  delete(key: string, options: { readonly ifVersion: string }): Promise<boolean>;
  list(prefix: string): AsyncIterable<RegistryEntry>;
  watch(prefix: string, options: { readonly signal: AbortSignal }): AsyncIterable<RegistryChange>;
}

export interface RegistryEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly version: string;
}

/** `reset`: some changes were missed; list again. */
export type RegistryChange =
  | { readonly type: 'put'; readonly entry: RegistryEntry }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'reset' };

interface ErrorLike {
  readonly retryable?: unknown;
}

/** Whether the same call cannot succeed later: the store is closed, or refuses the key or value. */
export function isFinal(error: unknown): boolean {
  return (error as ErrorLike | null | undefined)?.retryable === false;
}
