import { InvalidOptionError } from '../errors.ts';
import type { Checked, Rule } from './rules.ts';
import { describe, isPlain, nearest } from './values.ts';

type Rules = Readonly<Record<string, Rule<unknown>>>;

/**
 * Checks an object of options by one rule a name, and returns what the rules return: defaults filled in, `undefined`
 * taken for absent. Write the rules once, at module level:
 *
 *     const rules = { attempts: integer(3, { min: 1 }), signal: signal() } satisfies RulesFor<RetryOptions>;
 *     const { attempts, signal } = readOptions('retry', options, rules);
 *
 * @param where what is configured, as messages call it: `LoadBalancer`, `lb.run`
 * @param prefix what nested options are called: `retry.` for `retry.attempts`
 * @throws InvalidOptionError for what is no object, a name without a rule, and what a rule refuses
 */
export function readOptions<R extends Rules>(
  where: string,
  options: unknown,
  rules: R,
  prefix = '',
): Checked<R> {
  checkNames(where, options, rules, prefix);
  const checked: Record<string, unknown> = {};
  for (const name of Object.keys(rules)) {
    const value = (options as Record<string, unknown>)[name];
    checked[name] = rules[name]!(value, prefix + name);
  }
  return checked as Checked<R>;
}

/** An option that is itself an object of options; absent, it is read as `{}`, so that its defaults hold. */
export function record<R extends Rules>(rules: R): Rule<Checked<R>> {
  return (value, option) =>
    readOptions(`\`${option}\``, value === undefined ? {} : value, rules, `${option}.`);
}

/**
 * Refuses names without a rule, so that a misspelled option is not silently ignored, and what has no names. For calls
 * that are too frequent for `readOptions`.
 *
 * @throws InvalidOptionError that names the nearest option and lists all
 */
export function checkNames(where: string, options: unknown, rules: object, prefix = ''): void {
  const isObject = typeof options === 'object' && options !== null;
  // A promise has no names either: what it would bring is not awaited
  if (!isObject || Array.isArray(options) || options instanceof Promise) {
    throw noOptions(where, options, rules, prefix);
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(rules, name)) throw unknownOption(where, options, name, rules, prefix);
  }
}

/**
 * Refuses arguments beyond those that a function takes, which JavaScript ignores: `add('a', { weight: 2 })`.
 *
 * @param more the arguments beyond
 * @param takes how many it takes
 * @throws InvalidOptionError
 */
export function refuseMore(where: string, more: readonly unknown[], takes: 0 | 1 | 2, advice?: string): void {
  if (more.length === 0) return;
  const text = `${where} takes ${counts[takes]}, got ${takes + more.length}`;
  throw new InvalidOptionError(where, advice === undefined ? text : `${text}; ${advice}`);
}

const counts = ['no arguments', 'one argument', 'two arguments'] as const;

function noOptions(where: string, options: unknown, rules: object, prefix: string): InvalidOptionError {
  const option = prefix === '' ? where : prefix.slice(0, -1);
  const text = `${where} takes an object of options, got ${describe(options)}; ${named(rules)}`;
  return new InvalidOptionError(option, text);
}

function unknownOption(
  where: string,
  options: object,
  name: string,
  rules: object,
  prefix: string,
): InvalidOptionError {
  const meant = nearest(name, Object.keys(rules));
  // A client in place of `{ client }`: the names of its own fields would say nothing
  if (meant === undefined && !isPlain(options)) return noOptions(where, options, rules, prefix);
  const help = meant === undefined ? ';' : `; did you mean \`${meant}\`?`;
  return new InvalidOptionError(prefix + name, `${where} has no option \`${name}\`${help} ${named(rules)}`);
}

function named(rules: object): string {
  const names = Object.keys(rules);
  return names.length === 0 ? 'it takes none' : `it takes ${names.join(', ')}`;
}
