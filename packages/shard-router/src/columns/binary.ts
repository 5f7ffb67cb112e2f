import { describe, jsonOf } from '@ashlar/core';
import type { Column } from './column.ts';

export const bytea: Column = {
  wants: 'a Uint8Array',
  parse: value => (value instanceof Uint8Array ? Uint8Array.from(value) : undefined),
  compare(a: Uint8Array, b: Uint8Array) {
    const length = Math.min(a.length, b.length);
    for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
    return a.length - b.length;
  },
  identity: hexOf,
  toText: hexOf,
  fromText: hex =>
    Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)),
  sqlIn: parameter => `decode(${parameter}::text, 'hex')`,
  sqlOut: column => `encode(${column}, 'hex')`,
};

function hexOf(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
  return hex;
}

/**
 * Values of JSON, and nothing that JSON would make something else of; members that are undefined are left out. They have no order here,
 * and are not compared.
 */
export const jsonb: Column = {
  wants: 'a value that JSON has, without U+0000',
  parse(value) {
    try {
      const json = jsonOf(value);
      return /\\u(0000|d[89a-f])/.test(json) ? undefined : JSON.parse(json);
    } catch {
      return undefined;
    }
  },
  refusal(value) {
    try {
      jsonOf(value);
      return describe(value);
    } catch (error) {
      return `${describe(value)}: ${(error as Error).message.split('\n', 1)[0]}`;
    }
  },
  compare: undefined,
  identity: value => JSON.stringify(value),
  toText: value => JSON.stringify(value),
  fromText: value => JSON.parse(value),
  sqlIn: parameter => `${parameter}::text::jsonb`,
  sqlOut: column => `${column}::text`,
};
