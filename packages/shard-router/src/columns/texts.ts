import type { Column } from './column.ts';
import { order } from './numbers.ts';

// Half of a surrogate pair, which UTF-8 has not, and U+0000, which a text of PostgreSQL has not
const unfit = /\p{Surrogate}|\0/u;
const canonical = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

export const text: Column = {
  wants: 'a well-formed string without U+0000',
  parse: value => (typeof value === 'string' && !unfit.test(value) ? value : undefined),
  compare: compareCodePoints,
  identity: String,
  toText: String,
  fromText: String,
  sqlIn: parameter => `${parameter}::text`,
  sqlOut: column => `${column}::text`,
};

export const uuid: Column = {
  wants: 'a UUID as 01234567-89ab-cdef-0123-456789abcdef',
  parse: value => (typeof value === 'string' && canonical.test(value) ? value.toLowerCase() : undefined),
  compare: order,
  identity: String,
  toText: String,
  fromText: String,
  sqlIn: parameter => `${parameter}::text::uuid`,
  sqlOut: column => `${column}::text`,
};

export const bool: Column = {
  wants: 'true or false',
  parse: value => (typeof value === 'boolean' ? value : undefined),
  compare: (a: boolean, b: boolean) => Number(a) - Number(b),
  identity: String,
  toText: String,
  fromText: written => written === 'true',
  sqlIn: parameter => `${parameter}::text::bool`,
  sqlOut: column => `${column}::text`,
};

/** The order of the bytes of UTF-8, which is that of the code points: surrogates are above the units from U+E000. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const unitA = a.charCodeAt(i);
    const unitB = b.charCodeAt(i);
    if (unitA === unitB) continue;
    if (unitA < 0xd800 || unitB < 0xd800) return unitA - unitB;
    return rotated(unitA) - rotated(unitB);
  }
  return a.length - b.length;
}

function rotated(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}
