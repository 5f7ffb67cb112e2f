import { InvalidOptionError, jsonOf, objectWith, refused, required } from '@ashlar/core';
import { InvalidValueError } from './errors.ts';
import { anyStore } from './limits.ts';
import type { Entry, SetOptions, Store, Version } from './store.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const anyEntry = required(objectWith<Entry>([]), 'what `get` returned, when it is not undefined');

export interface JsonEntry<T> {
  readonly key: string;
  readonly value: T;
  readonly version: Version;
}

/**
 * The JSON of a value, as bytes. @throws InvalidOptionError for what does not come back from JSON as it was, such as
 * `undefined`, NaN, a bigint, a Date or a Map
 */
export function toJson(value: unknown): Uint8Array {
  try {
    return encoder.encode(jsonOf(value));
  } catch (cause) {
    const why = (cause as Error).message;
    throw new InvalidOptionError('value', `\`value\` cannot be written as JSON: ${why}`, { cause });
  }
}

/** The entry with its value read from JSON; `T` is not checked. @throws InvalidValueError, InvalidOptionError */
export function fromJson<T>(entry: Entry): JsonEntry<T> {
  const { key, value, version } = anyEntry(entry, 'entry');
  if (!(value instanceof Uint8Array)) throw refused('entry.value', 'a Uint8Array', value, 'pass an Entry');
  try {
    return { key, value: JSON.parse(decoder.decode(value)) as T, version };
  } catch (cause) {
    throw new InvalidValueError(key, 'is not JSON', { cause });
  }
}

/** `get`, with the value read from JSON. */
export async function getJson<T>(store: Store, key: string): Promise<JsonEntry<T> | undefined> {
  const entry = await anyStore(store, 'store').get(key);
  return entry && fromJson<T>(entry);
}

/** `set`, with the value written as JSON. */
export async function setJson(
  store: Store,
  key: string,
  value: unknown,
  options?: SetOptions,
): Promise<Version> {
  return anyStore(store, 'store').set(key, toJson(value), options);
}
