import { describe, InvalidOptionError } from '@ashlar/core';
import { InvalidValueError } from './errors.ts';
import type { Entry, SetOptions, Store, Version } from './store.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export interface JsonEntry<T> {
  readonly key: string;
  readonly value: T;
  readonly version: Version;
}

/** The bytes of a value as JSON. @throws InvalidOptionError for what JSON cannot say, such as `undefined` or a bigint. */
export function toJson(value: unknown): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new InvalidOptionError('value', `\`value\` cannot be written as JSON: ${String(cause)}`, { cause });
  }
  if (text !== undefined) return encoder.encode(text);
  throw new InvalidOptionError('value', `\`value\` cannot be written as JSON: ${describe(value)}`);
}

/** An entry with its bytes read as JSON; the type is the caller's word. @throws InvalidValueError */
export function fromJson<T>({ key, value, version }: Entry): JsonEntry<T> {
  try {
    return { key, value: JSON.parse(decoder.decode(value)) as T, version };
  } catch (cause) {
    throw new InvalidValueError(key, 'is not JSON', { cause });
  }
}

/** `get`, with the value read as JSON. */
export async function getJson<T>(store: Store, key: string): Promise<JsonEntry<T> | undefined> {
  const entry = await store.get(key);
  return entry && fromJson<T>(entry);
}

/** `set`, with the value written as JSON. */
export async function setJson(
  store: Store,
  key: string,
  value: unknown,
  options?: SetOptions,
): Promise<Version> {
  return store.set(key, toJson(value), options);
}
