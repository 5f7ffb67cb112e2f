import { InvalidOptionError } from '../errors.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import { type Advice, isSignal, refused } from './refused.ts';
import { isClass } from './values.ts';

/** Checks one option and fills in its default. @throws InvalidOptionError that names the option and quotes the value. */
export type Rule<T> = (value: unknown, option: string) => T;

/** One rule for each option of `O`: an option without a rule, or a rule without an option, does not compile. */
export type RulesFor<O> = { readonly [Name in keyof O]-?: Rule<O[Name] | undefined> };

/** What the rules of a record return. */
export type Checked<R> = { readonly [Name in keyof R]: R[Name] extends Rule<infer T> ? T : never };

/** Without a default, the option may be absent. */
type Or<T, D> = D extends undefined ? T | undefined : T;

/** `min` and `max` are inclusive, `above` is exclusive. */
export interface NumberRange {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
}

/** A finite number in the range. */
export function number<D extends number | undefined = undefined>(
  orElse?: D,
  range: NumberRange = {},
): Rule<Or<number, D>> {
  return ruleOf(orElse, `a number${limits(range)}`, value => Number.isFinite(value) && isIn(value, range));
}

/** A safe integer in the range. */
export function integer<D extends number | undefined = undefined>(
  orElse?: D,
  range: NumberRange = {},
): Rule<Or<number, D>> {
  const expected = `an integer${limits(range)}`;
  return ruleOf(orElse, expected, value => Number.isSafeInteger(value) && isIn(value, range));
}

/** Milliseconds: a finite number of at least 0 or in the range, or `Infinity` when the range says `endless`. */
export function durationMs<D extends number | undefined = undefined>(
  orElse?: D,
  { endless = false, ...range }: NumberRange & { readonly endless?: boolean } = {},
): Rule<Or<number, D>> {
  const within = range.above === undefined ? { min: 0, ...range } : range;
  const expected = `a number of milliseconds${limits(within)}${endless ? ', or Infinity' : ''}`;
  const isKind = (value: unknown) => Number.isFinite(value) || (endless && value === Infinity);
  return ruleOf(orElse, expected, value => isKind(value) && isIn(value, within));
}

export function boolean<D extends boolean | undefined = undefined>(orElse?: D): Rule<Or<boolean, D>> {
  return ruleOf(orElse, 'true or false', value => typeof value === 'boolean');
}

/** A string that is not empty. */
export function text<D extends string | undefined = undefined>(orElse?: D): Rule<Or<string, D>> {
  return ruleOf(orElse, 'a string that is not empty', value => typeof value === 'string' && value !== '');
}

/** One of the values. */
export function oneOf<const V extends string | number | boolean, D extends V | undefined>(
  orElse: D,
  values: readonly V[],
): Rule<Or<V, D>> {
  const expected = values.map(each => JSON.stringify(each)).join(' or ');
  return ruleOf(orElse, expected, value => values.includes(value as V));
}

export function functionOf<F extends (...args: never[]) => unknown>(advice?: Advice): Rule<F | undefined> {
  return ruleOf(undefined, 'a function', value => typeof value === 'function' && !isClass(value), advice);
}

/** An object with these methods: another copy of a class, a wrapper or a structural twin pass as well. */
export function objectWith<T extends object>(
  methods: readonly (keyof T & string)[],
  advice?: Advice,
): Rule<T | undefined> {
  const expected = methods.length === 0 ? 'an object' : `an object with ${methods.join('(), ')}()`;
  const hasAll = (value: T) => methods.every(method => typeof value[method] === 'function');
  return ruleOf(undefined, expected, value => isObject(value) && hasAll(value as T), advice);
}

/** An `AbortSignal`, recognized by its shape: another realm's passes as well. */
export function signal(): Rule<AbortSignal | undefined> {
  const advice = 'an AbortController has one as `controller.signal`';
  return ruleOf(undefined, 'an AbortSignal', isSignal, advice);
}

export function clock(orElse: Clock = systemClock): Rule<Clock> {
  return defaultTo(orElse, objectWith<Clock>(['now', 'sleep']));
}

export function random(): Rule<() => number> {
  return defaultTo(Math.random, functionOf<() => number>());
}

/** A list, each item by its rule under the name `option[index]`. A string is refused, as its characters would pass. */
export function listOf<T>(item: Rule<T>): Rule<readonly T[] | undefined> {
  const isList: Rule<readonly unknown[] | undefined> = ruleOf(undefined, 'an array', Array.isArray);
  return (value, option) => isList(value, option)?.map((each, index) => item(each, `${option}[${index}]`));
}

/** `false`, which turns something off and is returned as `undefined`, or what the rule takes. */
export function orFalse<T>(rule: Rule<T>): Rule<T | undefined> {
  return (value, option) => (value === false ? undefined : rule(value, option));
}

/** The rule with a default. */
export function defaultTo<T>(orElse: T, rule: Rule<T | undefined>): Rule<T> {
  return (value, option) => rule(value, option) ?? orElse;
}

/** The rule for an option that must be there. */
export function required<T>(rule: Rule<T | undefined>, advice?: string): Rule<T> {
  return (value, option) => {
    const checked = rule(value, option);
    if (checked !== undefined) return checked;
    throw new InvalidOptionError(
      option,
      `\`${option}\` is required${advice === undefined ? '' : `: ${advice}`}`,
    );
  };
}

function ruleOf<T, D>(
  orElse: D | undefined,
  expected: string,
  accepts: (value: unknown) => boolean,
  advice?: Advice,
): Rule<Or<T, D>> {
  return (value, option) => {
    if (value !== undefined && !accepts(value)) throw refused(option, expected, value, advice);
    return (value ?? orElse) as Or<T, D>;
  };
}

function isIn(value: unknown, { min = -Infinity, above = -Infinity, max = Infinity }: NumberRange): boolean {
  return (value as number) >= min && (value as number) > above && (value as number) <= max;
}

/** As ` of at least 1 and at most 9`. */
function limits({ min, above, max }: NumberRange): string {
  const all = Object.entries({ 'of at least': min, above, 'at most': max });
  const text = all
    .filter(([, limit]) => limit !== undefined)
    .map(limit => limit.join(' '))
    .join(' and ');
  return text === '' ? '' : ` ${text}`;
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
