/** What is requested: whole numbers as such, as policies find them sooner, other keys as text. */
export type Key = number | string;

export const bad: unique symbol = Symbol('a line that says nothing');
export const skipped: unique symbol = Symbol('a request that no cache is asked for');

/** Reads the line between two places; both white space around it and the newline are gone. */
export type LineFormat = (bytes: Buffer, start: number, end: number) => Key | typeof bad | typeof skipped;

const longestKey = 2_048;

/** A key a line: any text without control characters. A number and its text are one key, `7` and `07` are two. */
export const keyLine: LineFormat = (bytes, start, end) => {
  let number = 0;
  let digits = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < 32 || byte === 127) return bad;
    const digit = byte - 48;
    if (digit >= 0 && digit <= 9) number = number * 10 + digit;
    else digits = false;
  }
  const length = end - start;
  if (digits && length <= 9 && (length === 1 || bytes[start] !== 48)) return number;
  return length > longestKey ? bad : bytes.toString('utf8', start, end);
};

/** Common and combined format of Apache and nginx: a time in brackets, the request in quotes, a status, a length. */
const request = /\[[^\][]{10,40}\] "([A-Z]+) ((?:\\.|[^\s"\\])+) HTTP\/[\d.]+" [1-5]\d\d (?:-|\d+)(?: |$)/;

/** The path of a GET without its query, which makes one page different for every campaign and session. */
export const accessLogLine: LineFormat = (bytes, start, end) => {
  const [, method, target] = request.exec(bytes.toString('utf8', start, end)) ?? [];
  if (method === undefined || target === undefined) return bad;
  if (method !== 'GET') return skipped;
  const path = target.replace(/^\w+:\/\/[^/?#]*/, '').replace(/[?#].*$/, '');
  // What a regular expression cuts out would keep the whole line alive
  return path === '' ? '/' : Buffer.from(path).toString();
};
