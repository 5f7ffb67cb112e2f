import { type Rule, refused, required } from '@ashlar/core';
import { bytesOf } from './messages/text.ts';

const pattern = /^[\w.-]{1,128}$/;
export const nameShape = 'a name of 1 to 128 letters, digits, `.`, `_` and `-`';

export const isName = (value: unknown): boolean => typeof value === 'string' && pattern.test(value);

/** Topics and groups: names that every backend takes as they are. */
export const topicName: Rule<string> = required((value, option) => {
  if (value === undefined || isName(value)) return value as string | undefined;
  throw refused(option, nameShape, value);
}, nameShape);

const maxBytes = 256;
const loneSurrogate = /\p{Surrogate}/u;

/** Ids and keys: strings with a UTF-8 form, of at most 256 bytes. */
export const idText: Rule<string | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  const isText = typeof value === 'string' && value !== '' && !loneSurrogate.test(value);
  if (isText && (value.length * 3 <= maxBytes || bytesOf(value).byteLength <= maxBytes)) return value;
  throw refused(option, `a string of 1 to ${maxBytes} bytes of UTF-8`, value);
};

const headerName = /^[a-z0-9][a-z0-9._-]*$/;

/** Headers of the caller: lower-case names that are not set by the queue, and strings. */
export const headers: Rule<Readonly<Record<string, string>> | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refused(option, 'an object of strings', value);
  }
  for (const [name, text] of Object.entries(value)) {
    if (!headerName.test(name))
      throw refused(`${option} name`, 'of lower-case letters, digits and `.-_`', name);
    if (name.startsWith('ce-') || name === 'content-type') {
      throw refused(`${option} name`, 'none that the queue sets itself', name);
    }
    if (typeof text !== 'string') throw refused(`${option}.${name}`, 'a string', text);
  }
  return value as Readonly<Record<string, string>>;
};
