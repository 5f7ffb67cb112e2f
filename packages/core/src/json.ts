import { describe } from './options/values.ts';

/** What another format keeps beyond JSON. */
export interface Keeps {
  /** Values that are no objects: NaN, Infinity, bigints and `undefined` in arrays. */
  readonly primitives: boolean;
  /** Whether objects with this prototype are kept as they are. */
  readonly prototype: (prototype: object) => boolean;
}

const nothingMore: Keeps = { primitives: false, prototype: () => false };

/**
 * The JSON of a value that comes back from it as it was. An `undefined` property does not, nor an instance of a class without
 * methods, which comes back as a plain object; both are let through.
 *
 * @throws TypeError that names the place of what JSON makes something else of (as Date, Map, NaN) or refuses (as bigint)
 */
export function jsonOf(value: unknown): string {
  let text: string | undefined;
  try {
    // first, as it finds circles
    text = JSON.stringify(value) as string | undefined;
  } catch (cause) {
    const found = lostIn(value, nothingMore);
    if (found === undefined) throw cause;
    throw new TypeError(`JSON does not keep ${found}`, { cause });
  }
  const found = lost(value, nothingMore, undefined);
  if (found !== undefined || text === undefined) {
    throw new TypeError(`JSON does not keep ${found ?? describe(value)}`);
  }
  return text;
}

/** Where the first part of a value is that a format does not keep, and what it is; `undefined` when it keeps all. */
export function lostIn(value: unknown, keeps: Keeps): string | undefined {
  return lost(value, keeps, new Set());
}

function lost(value: unknown, keeps: Keeps, seen: Set<object> | undefined): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) || keeps.primitives ? undefined : describe(value);
    case 'bigint':
    case 'undefined':
      return keeps.primitives ? undefined : describe(value);
    case 'object':
      return value === null || seen?.has(value) ? undefined : lostInObject(value, keeps, seen);
    default:
      return describe(value);
  }
}

function lostInObject(value: object, keeps: Keeps, seen: Set<object> | undefined): string | undefined {
  const isArray = Array.isArray(value);
  const isKept = isArray || isData(value) || keeps.prototype(Object.getPrototypeOf(value));
  if (!isKept) return describe(value);
  seen?.add(value);
  if (isArray) {
    // by index, so that holes are seen
    for (let i = 0; i < value.length; i++) {
      const found = lost(value[i], keeps, seen);
      if (found !== undefined) return `${found} at ${i}`;
    }
  } else if (value instanceof Map || value instanceof Set) {
    for (const parts of value.entries()) {
      const found = lost(parts[0], keeps, seen) ?? lost(parts[1], keeps, seen);
      if (found !== undefined) return `${found} in ${describe(value)}`;
    }
  } else if (!ArrayBuffer.isView(value)) {
    for (const name of Object.keys(value)) {
      const part = (value as Readonly<Record<string, unknown>>)[name];
      const found = part === undefined ? undefined : lost(part, keeps, seen);
      if (found !== undefined) return `${found} at ${describe(name)}`;
    }
  }
  return undefined;
}

/** Whether it is its own enumerable properties, and nothing else: what it inherits is nothing that a plain object has not. */
function isData(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return true;
  const above: object | null = Object.getPrototypeOf(prototype);
  // a plain object of another realm
  if (above === null) return Object.hasOwn(prototype, 'hasOwnProperty');
  return (
    above === Object.prototype &&
    Reflect.ownKeys(prototype).length === 1 &&
    Object.hasOwn(prototype, 'constructor')
  );
}
