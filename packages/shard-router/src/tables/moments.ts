import {
  add,
  type Decimal,
  decimalOf,
  divide,
  square,
  squareRoot,
  textOf,
  variance,
  zero,
} from '../columns/decimal.ts';
import { float8 } from '../columns/numbers.ts';
import { OutOfRangeError } from '../errors/statements.ts';
import type { ColumnType } from './table.ts';

/** How many values there are, their sum, and how they spread: of two sets of values, it is that of both. */
export interface Moments {
  /** With another value, which is no null. */
  with(value: unknown): Moments;
  plus(other: Moments): Moments;
  /** Null of no values. */
  sum(): string | number | null;
  avg(): string | number | null;
  /** Of the sample: null of fewer than two values. */
  variance(): string | number | null;
  stddev(): string | number | null;
}

export function noMoments(type: ColumnType): Moments {
  return type === 'float8' ? new FloatMoments(0, 0, 0) : new ExactMoments(0n, zero, zero);
}

/** As columns of their types make them texts. */
export function momentsOf(
  type: ColumnType,
  count: string,
  sum: string | null,
  spread: string | null,
): Moments {
  if (type === 'float8') return new FloatMoments(Number(count), floatOf(sum), floatOf(spread));
  return new ExactMoments(BigInt(count), decimalOf(sum ?? '0'), decimalOf(spread ?? '0'));
}

function floatOf(text: string | null): number {
  return text === null ? 0 : float8.fromText(text);
}

/** Of integers and decimals: exact, with the digits that PostgreSQL returns. */
class ExactMoments implements Moments {
  readonly #count: bigint;
  readonly #sum: Decimal;
  readonly #squares: Decimal;

  constructor(count: bigint, sum: Decimal, squares: Decimal) {
    this.#count = count;
    this.#sum = sum;
    this.#squares = squares;
  }

  with(value: unknown): Moments {
    const decimal = decimalOf(String(value));
    return new ExactMoments(this.#count + 1n, add(this.#sum, decimal), add(this.#squares, square(decimal)));
  }

  plus(other: Moments): Moments {
    const { count, sum, squares } = (other as ExactMoments).#fields;
    return new ExactMoments(this.#count + count, add(this.#sum, sum), add(this.#squares, squares));
  }

  sum(): string | null {
    return this.#count === 0n ? null : textOf(this.#sum);
  }

  avg(): string | null {
    return this.#count === 0n ? null : textOf(divide(this.#sum, this.#count));
  }

  variance(): string | null {
    return this.#count < 2n ? null : textOf(this.#variance());
  }

  stddev(): string | null {
    return this.#count < 2n ? null : textOf(squareRoot(this.#variance()));
  }

  get #fields() {
    return { count: this.#count, sum: this.#sum, squares: this.#squares };
  }

  #variance(): Decimal {
    return variance(this.#count, this.#sum, this.#squares);
  }
}

/** Of floating-point numbers: the method of Youngs and Cramer, which PostgreSQL uses too. */
class FloatMoments implements Moments {
  readonly #count: number;
  readonly #sum: number;
  /** The sum of the squares of the differences from the mean. */
  readonly #spread: number;

  constructor(count: number, sum: number, spread: number) {
    this.#count = count;
    this.#sum = sum;
    this.#spread = spread;
  }

  with(value: unknown): Moments {
    const number = value as number;
    return this.plus(new FloatMoments(1, number, Number.isFinite(number) ? 0 : Number.NaN));
  }

  plus(other: Moments): Moments {
    const { count, sum, spread } = (other as FloatMoments).#fields;
    if (count === 0) return this;
    if (this.#count === 0) return other;
    const both = this.#sum + sum;
    if (!Number.isFinite(both) && Number.isFinite(this.#sum) && Number.isFinite(sum))
      throw new OutOfRangeError('float8');
    const difference = this.#sum / this.#count - sum / count;
    const between = (difference * difference * this.#count * count) / (this.#count + count);
    return new FloatMoments(this.#count + count, both, this.#spread + spread + between);
  }

  sum(): number | null {
    return this.#count === 0 ? null : this.#sum;
  }

  avg(): number | null {
    return this.#count === 0 ? null : this.#sum / this.#count;
  }

  variance(): number | null {
    return this.#count < 2 ? null : this.#spread / (this.#count - 1);
  }

  stddev(): number | null {
    const variance = this.variance();
    return variance === null ? null : Math.sqrt(variance);
  }

  get #fields() {
    return { count: this.#count, sum: this.#sum, spread: this.#spread };
  }
}
