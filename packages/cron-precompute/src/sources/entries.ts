import { refused } from '@ashlar/core';

const sourceAdvice = 'write `async function* (context) { yield [key, value]; }`';

/** What a source has returned, as far as it can be read. @throws InvalidOptionError, as for the Promise of an array */
export function iterableOf<T>(returned: AsyncIterable<T> | Iterable<T>): AsyncIterable<T> | Iterable<T> {
  const any = returned as Partial<AsyncIterable<T> & Iterable<T>> | null | undefined;
  if (any?.[Symbol.asyncIterator] !== undefined || Array.isArray(any)) return returned;
  if (typeof any === 'object' && any?.[Symbol.iterator] !== undefined) return returned;
  if (returned instanceof Promise) returned.catch(() => {}); // Else its rejection would end the process
  throw refused('source', 'a function that returns an async iterable', returned, sourceAdvice);
}

/** The text of a key, as the store keeps it: in UTF-8, which has no half of a surrogate pair. @throws InvalidOptionError */
export function keyText<K>(keyOf: (key: K) => string, key: K): string {
  const text: unknown = keyOf(key);
  if (typeof text === 'string' && !/\p{Surrogate}/u.test(text)) return text;
  if (text instanceof Promise) text.catch(() => {}); // Else its rejection would end the process
  throw refused('key', 'a well-formed text', text, 'what `keyOf` returns is read back as it was');
}

/** A text is iterable too, and its letters are no key and value. @throws InvalidOptionError */
export function entryOf<E extends readonly [unknown, unknown]>(entry: E): E {
  if (Array.isArray(entry) && entry.length === 2) return entry;
  throw refused('entry', '`[key, value]`', entry, 'a key whose value is `undefined` is deleted');
}
