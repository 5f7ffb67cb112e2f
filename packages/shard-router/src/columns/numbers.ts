import type { Column } from './column.ts';

/** -1, 0 or 1, for values that JavaScript orders as PostgreSQL does. */
export function order<T extends string | number | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export const int8: Column = {
  wants: 'an integer of 64 bits, as a safe number or a bigint',
  parse(value) {
    if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
    return typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? value : undefined;
  },
  compare: order,
  identity: String,
  toText: String,
  fromText: BigInt,
  sqlIn: parameter => `${parameter}::text::int8`,
  sqlOut: column => `${column}::text`,
};

export const int4: Column = {
  wants: 'an integer of 32 bits',
  parse(value) {
    const number = typeof value === 'bigint' ? Number(value) : value;
    // The sum makes 0 of -0
    return typeof number === 'number' && (number | 0) === number ? number + 0 : undefined;
  },
  compare: order,
  identity: String,
  toText: String,
  fromText: Number,
  sqlIn: parameter => `${parameter}::text::int4`,
  sqlOut: column => `${column}::text`,
};

export const float8: Column = {
  wants: 'a number',
  parse: value => (typeof value === 'number' ? value : undefined),
  // PostgreSQL has NaN equal to itself and above all others
  compare: (a: number, b: number) =>
    a < b ? -1 : a > b ? 1 : a === b ? 0 : Number(Number.isNaN(a)) - Number(Number.isNaN(b)),
  identity: (value: number) => String(value + 0),
  toText: (value: number) => (Object.is(value, -0) ? '-0' : String(value)),
  fromText: written => (written.startsWith('x') ? ofBytes(written) : Number(written)),
  sqlIn: parameter => `${parameter}::text::float8`,
  // Its bytes: a database or role with fewer `extra_float_digits` writes another number in decimals
  sqlOut: column => `('x' || encode(float8send(${column}), 'hex'))`,
};

const bytes = new DataView(new ArrayBuffer(8));

function ofBytes(hex: string): number {
  bytes.setUint32(0, Number.parseInt(hex.slice(1, 9), 16));
  bytes.setUint32(4, Number.parseInt(hex.slice(9), 16));
  return bytes.getFloat64(0);
}

const decimal = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,5}))?$/i;
const special: Readonly<Record<string, string>> = {
  nan: 'NaN',
  infinity: 'Infinity',
  '+infinity': 'Infinity',
  '-infinity': '-Infinity',
};

export const numeric: Column = {
  wants: 'a decimal number, as a string, a number or a bigint',
  parse(value) {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return undefined;
    const written = String(value).trim();
    return special[written.toLowerCase()] ?? plainDecimal(written);
  },
  compare: compareDecimals,
  identity: (value: string) => (value.includes('.') ? value.replace(/\.?0+$/, '') : value),
  toText: String,
  fromText: String,
  sqlIn: parameter => `${parameter}::text::numeric`,
  sqlOut: column => `${column}::text`,
};

/** As PostgreSQL writes it: no exponent, no needless zeros before the point, all those behind it. */
function plainDecimal(written: string): string | undefined {
  const [, sign, whole = '', fraction = '', exponent = '0'] = decimal.exec(written) ?? [];
  if (sign === undefined || whole + fraction === '') return undefined;
  const shift = Number(exponent);
  const digits = whole + fraction;
  const point = whole.length + shift;
  const before = (point > 0 ? digits.slice(0, point).padEnd(point, '0') : '').replace(/^0+/, '') || '0';
  const scale = Math.max(0, fraction.length - shift);
  const after = scale === 0 ? '' : digits.slice(Math.max(0, point)).padStart(scale, '0').slice(-scale);
  // The bounds of the type
  if (before.length > 131_072 || after.length > 16_383) return undefined;
  const plain = after === '' ? before : `${before}.${after}`;
  return sign === '-' && /[1-9]/.test(plain) ? `-${plain}` : plain;
}

function compareDecimals(a: string, b: string): number {
  if (a === b) return 0;
  const [rankA, rankB] = [rankOf(a), rankOf(b)];
  if (rankA !== rankB) return rankA - rankB;
  if (Math.abs(rankA) !== 1) return 0;
  return rankA * compareDigits(rankA < 0 ? a.slice(1) : a, rankB < 0 ? b.slice(1) : b);
}

/** -Infinity, the negative, zero, the positive, Infinity, NaN. */
function rankOf(value: string): number {
  const first = value.charCodeAt(0);
  if (first === 78) return 3;
  if (first === 73) return 2;
  if (first === 45) return value.charCodeAt(1) === 73 ? -2 : -1;
  return first === 48 && !/[1-9]/.test(value) ? 0 : 1;
}

function compareDigits(a: string, b: string): number {
  const pointA = a.indexOf('.');
  const pointB = b.indexOf('.');
  const wholeA = pointA < 0 ? a.length : pointA;
  const wholeB = pointB < 0 ? b.length : pointB;
  if (wholeA !== wholeB) return wholeA - wholeB;
  const whole = order(a.slice(0, wholeA), b.slice(0, wholeB));
  if (whole !== 0) return whole;
  const length = Math.max(a.length, b.length);
  for (let i = wholeA + 1; i < length; i++) {
    const digitA = i < a.length ? a.charCodeAt(i) : 48;
    const digitB = i < b.length ? b.charCodeAt(i) : 48;
    if (digitA !== digitB) return digitA - digitB;
  }
  return 0;
}
