import { withoutSecrets } from '../secrets.ts';

/**
 * A value as an error message quotes it: short, on one line, with its type where the text alone could mislead, and without
 * secrets.
 */
export function describe(value: unknown): string {
  if (typeof value === 'string') return describeText(withoutSecrets(value));
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return describeObject(value);
  if (typeof value === 'function') return describeFunction(value);
  return `${String(value)} (${typeof value})`;
}

/**
 * The name that is fewest edits away, when that is few enough to have been meant: `timout` for `timeout` is. Neither case
 * nor signs count: `round-robin` and `ROUND_ROBIN` are `roundRobin`. The same name without its unit is always meant, as
 * `ttl` for `ttlMs`; else one that is its first words, as `health` of `healthCheck`, or its last ones, as `prefix` of
 * `key_prefix`. `no-json` is the opposite of `json`, and never meant so.
 */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  const letters = lettersOf(typed);
  if (letters === '') return undefined;
  const sameInMs = names.find(name => lettersOf(name) === `${letters}ms`);
  if (sameInMs !== undefined) return sameInMs;
  const others = names.filter(name => letters !== `no${lettersOf(name)}`);
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(letters.length / 2.5)) + 1;
  for (const name of others) {
    const edits = editsBetween(letters, lettersOf(name), fewest);
    if (edits >= fewest) continue;
    fewest = edits;
    best = name;
  }
  const words = camelCaseOf(typed);
  return best ?? others.filter(name => isWords(name, words)).sort((a, b) => b.length - a.length)[0];
}

/** Letters and digits alone, in lower case. */
function lettersOf(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/** `key_prefix`, `key-prefix` and `KEY_PREFIX` as `keyPrefix`. */
function camelCaseOf(typed: string): string {
  const name = /\p{Ll}/u.test(typed) ? typed : typed.toLowerCase();
  return name.replace(/[^\p{L}\p{N}]+(.?)/gu, (_signs, first: string) => first.toUpperCase());
}

/** Whether the name is the first or the last words of another, which begin with a capital. Short ones say too little: `maxAge` is no `max`. */
function isWords(name: string, typed: string): boolean {
  if (name.length < 4) return false;
  const last = name.charAt(0).toUpperCase() + name.slice(1);
  return (typed.startsWith(name) && /^[A-Z]/.test(typed.slice(name.length))) || typed.endsWith(last);
}

/**
 * The field that a field of a user's own object was meant to be: `wieght`, `Weight` and `zon` are `weight` and `zone`. The
 * first letter is the same, the length differs by at most one. Other fields are the user's own.
 */
export function misspelled(typed: string, fields: readonly string[]): string | undefined {
  const alike = fields.filter(
    field => field[0] === typed[0]?.toLowerCase() && Math.abs(field.length - typed.length) <= 1,
  );
  // Two letters that changed places are two edits, which is too many in a short name
  return alike.find(field => sortedOf(field) === sortedOf(typed)) ?? nearest(typed, alike);
}

function sortedOf(name: string): string {
  return [...name.toLowerCase()].sort().join('');
}

/** Whether it is a class, which cannot be called. `String` and its like can. */
export function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
}

/** Whether it is an instance of no class that has a name. */
export function isPlain(value: object): boolean {
  const type: unknown = value.constructor;
  return typeof type !== 'function' || type === Object || type.name === '';
}

function describeText(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function describeFunction(value: object): string {
  if (!isClass(value)) return 'a function';
  const { name } = value as { readonly name?: unknown };
  return typeof name === 'string' && name !== '' ? `the class ${name}` : 'a class';
}

/** Its class or its names. The values stay out: they may be secrets. */
function describeObject(value: object): string {
  if (!isPlain(value)) {
    const type = value.constructor.name;
    return `${/^[AEIOU]/.test(type) ? 'an' : 'a'} ${type}`;
  }
  const names = Object.keys(value);
  return names.length === 0 ? 'an empty object' : `an object with ${names.slice(0, 5).join(', ')}`;
}

/** Levenshtein's distance, or at once `enough` where the lengths alone tell that it is no less: a text may be very long. */
function editsBetween(a: string, b: string, enough: number): number {
  if (Math.abs(a.length - b.length) >= enough) return enough;
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      line.push(Math.min(replaced, above[column]! + 1, line[column - 1]! + 1));
    }
    above = line;
  }
  return above[b.length]!;
}
