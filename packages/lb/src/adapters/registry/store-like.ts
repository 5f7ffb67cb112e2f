/** What a registry needs of a store; `Store` of `@ashlar/store` is one, over memory, Redis or PostgreSQL. */
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

/** `reset`: some changes were missed, list again. */
export type RegistryChange =
  | { readonly type: 'put'; readonly entry: RegistryEntry }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'reset' };

interface ErrorLike {
  readonly code?: unknown;
}

/** Whether no later try can have more success: the store was closed, or refuses what it is asked. */
export function isFinal(error: unknown): boolean {
  const code = (error as ErrorLike | null | undefined)?.code;
  return (
    code === 'ASHLAR_STORE_CLOSED' ||
    code === 'ASHLAR_INVALID_KEY' ||
    code === 'ASHLAR_CORE_INVALID_OPTION' ||
    code === 'ASHLAR_VALUE_TOO_LARGE'
  );
}
