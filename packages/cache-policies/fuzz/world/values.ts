import type { OddValue } from '../grammar/names.ts';

/** What the caches hold: an object with a name of its own, or a plain value that is easily taken for nothing. */
export type Value = { readonly id: string; readonly odd?: unknown } | null | 0 | '' | false;

/** What the model knows a value by; undefined is that there is none. */
export type ValueId = string | undefined;

export function makeValue(id: string, odd?: OddValue): Value {
  if (odd === 'null') return null;
  if (odd === 'zero') return 0;
  if (odd === 'empty') return '';
  if (odd === 'false') return false;
  if (odd === 'bigint') return { id, odd: 1n };
  if (odd === 'throws') {
    return {
      id,
      odd: {
        toJSON() {
          throw new Error('this value has no JSON');
        },
      },
    };
  }
  if (odd === 'cycle') {
    const value: { id: string; odd?: unknown } = { id };
    value.odd = value;
    return value;
  }
  return { id };
}

export function idOf(value: Value | undefined): ValueId {
  if (value === undefined) return undefined;
  return typeof value === 'object' && value !== null ? String(value.id) : `plain ${JSON.stringify(value)}`;
}

/** Whether JSON can represent it. */
export function isShareable(value: Value | undefined): boolean {
  return typeof value !== 'object' || value === null || value.odd === undefined;
}
