/** A `numeric` to compute with: `digits` times ten to the power of minus `scale`, where `scale` is also what is written. */
export interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
  /** Set for the values that are no numbers; the others are meaningless then. */
  readonly special?: 'NaN' | 'Infinity' | '-Infinity' | undefined;
}

export const zero: Decimal = { digits: 0n, scale: 0 };

/** Of a text as PostgreSQL writes it. */
export function decimalOf(text: string): Decimal {
  if (text === 'NaN' || text === 'Infinity' || text === '-Infinity') return { ...zero, special: text };
  const point = text.indexOf('.');
  if (point < 0) return { digits: BigInt(text), scale: 0 };
  return { digits: BigInt(text.slice(0, point) + text.slice(point + 1)), scale: text.length - point - 1 };
}

export function textOf({ digits, scale, special }: Decimal): string {
  if (special !== undefined) return special;
  const isNegative = digits < 0n;
  const text = (isNegative ? -digits : digits).toString().padStart(scale + 1, '0');
  const plain = scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`;
  return isNegative ? `-${plain}` : plain;
}

export function add(a: Decimal, b: Decimal): Decimal {
  if (a.special !== undefined || b.special !== undefined) {
    const isNone = a.special !== undefined && b.special !== undefined && a.special !== b.special;
    return { ...zero, special: isNone ? 'NaN' : (a.special ?? b.special) };
  }
  const scale = Math.max(a.scale, b.scale);
  return { digits: scaled(a, scale) + scaled(b, scale), scale };
}

export function square(a: Decimal): Decimal {
  if (a.special !== undefined) return { ...zero, special: a.special === 'NaN' ? 'NaN' : 'Infinity' };
  return { digits: a.digits * a.digits, scale: 2 * a.scale };
}

/** The quotient with as many digits as PostgreSQL gives it; `b` is a positive integer. */
export function divide(a: Decimal, b: bigint): Decimal {
  if (a.special !== undefined) return a;
  return quotient(a, { digits: b, scale: 0 });
}

/** PostgreSQL's sample variance, out of how many values there are, their sum, and that of their squares. */
export function variance(count: bigint, sum: Decimal, squares: Decimal): Decimal {
  if (sum.special !== undefined || squares.special !== undefined) return { ...zero, special: 'NaN' };
  const scale = Math.max(2 * sum.scale, squares.scale);
  const numerator = count * scaled(squares, scale) - scaled(square(sum), scale);
  if (numerator <= 0n) return zero;
  return quotient({ digits: numerator, scale }, { digits: count * (count - 1n), scale: 0 });
}

/** The root, with the digits of `a`. */
export function squareRoot(a: Decimal): Decimal {
  if (a.special !== undefined || a.digits === 0n) return a;
  // With more digits than are kept, so that the last one is rounded
  const more = 8;
  const root = integerRoot(scaled(a, 2 * (a.scale + more)));
  return { digits: roundedQuotient(root, 10n ** BigInt(more)), scale: a.scale };
}

function scaled({ digits, scale }: Decimal, to: number): bigint {
  return to === scale ? digits : digits * 10n ** BigInt(to - scale);
}

function quotient(a: Decimal, b: Decimal): Decimal {
  const scale = divisionScale(a, b);
  return {
    digits: roundedQuotient(a.digits * 10n ** BigInt(scale + b.scale), b.digits * 10n ** BigInt(a.scale)),
    scale,
  };
}

/** Half away from zero; `b` is positive. */
function roundedQuotient(a: bigint, b: bigint): bigint {
  return a < 0n ? -((-a * 2n + b) / (2n * b)) : (a * 2n + b) / (2n * b);
}

/** Digits behind the point of a quotient: at least sixteen that say something, and no fewer than those of either operand. */
function divisionScale(a: Decimal, b: Decimal): number {
  const [first, second] = [leadOf(a), leadOf(b)];
  const weight = first.weight - second.weight - (first.digit <= second.digit ? 1 : 0);
  return Math.min(1_000, Math.max(16 - 4 * weight, a.scale, b.scale, 0));
}

/** The first digit that is not zero, to the base of 10 000, and the power that it stands for: so PostgreSQL keeps numbers. */
function leadOf({ digits, scale }: Decimal): { readonly digit: number; readonly weight: number } {
  if (digits === 0n) return { digit: 0, weight: 0 };
  const text = (digits < 0n ? -digits : digits).toString();
  const whole = text.length - scale;
  const weight = Math.ceil(whole / 4) - 1;
  // Digits of the group that come before the first
  const length = whole - 4 * weight;
  return { digit: Number(text.slice(0, length).padEnd(length, '0')), weight };
}

function integerRoot(n: bigint): bigint {
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}
