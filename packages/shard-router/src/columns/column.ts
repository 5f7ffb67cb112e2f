/**
 * A value of a column: a bigint for `int8`, a number for `int4` and `float8`, a string for `text`, `uuid`, `numeric`, `date` and
 * `timestamptz`, a `Uint8Array` for `bytea`, what JSON has for `jsonb`; null is SQL's NULL.
 */
// biome-ignore lint/suspicious/noExplicitAny: jsonb may hold anything
export type Value = any;

/** A row, by the names of its columns. */
export type Row = Readonly<Record<string, Value>>;

/** What one type of column is: its values here, in SQL, and their order. None of the functions is given a null. */
export interface Column {
  /**
   * The one form that equal values have here, of what a program gives; undefined when the value is not of the type. It is what the
   * database would return.
   */
  parse(value: unknown): Value | undefined;
  /** What a program may give, in words. */
  readonly wants: string;
  /** Why it does not take a value, where more is to be said of that than what the value is. */
  refusal?(value: unknown): string;
  /** The order of PostgreSQL: of a text, that of collation `C`. Undefined where there is no order. */
  readonly compare: ((a: Value, b: Value) => number) | undefined;
  /** Equal for values that PostgreSQL takes for equal. */
  identity(value: Value): string;
  /** A parameter: text that `sqlIn` reads. */
  toText(value: Value): string;
  /** The text that `sqlOut` makes. */
  fromText(text: string): Value;
  /** The value of a parameter, whatever settings the session has. */
  sqlIn(parameter: string): string;
  /** Text of a column, whatever settings the session has. */
  sqlOut(column: string): string;
}
