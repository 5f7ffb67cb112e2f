import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  boolean,
  clock,
  defaultTo,
  durationMs,
  functionOf,
  InvalidOptionError,
  integer,
  listOf,
  number,
  objectWith,
  oneOf,
  orFalse,
  type RulesFor,
  random,
  readOptions,
  record,
  required,
  signal,
  systemClock,
  text,
} from '../../src/index.ts';

interface RetryOptions {
  readonly attempts?: number;
  readonly timeoutMs?: number;
  readonly mode?: 'reject' | 'wait';
  readonly signal?: AbortSignal;
}

const rules = {
  attempts: integer(3, { min: 1 }),
  timeoutMs: durationMs(),
  mode: oneOf('wait', ['reject', 'wait']),
  signal: signal(),
} satisfies RulesFor<RetryOptions>;

class Retry {
  attempts = 2;
}

class Client {
  socket = {};
}

const read = (options: unknown) => readOptions('retry', options, rules);

describe('readOptions', () => {
  it('fills in defaults, also for undefined, and leaves the rest absent', () => {
    const options = read({ attempts: undefined, timeoutMs: 5 });
    expect(options).toEqual({ attempts: 3, timeoutMs: 5, mode: 'wait', signal: undefined });
    expectTypeOf(options.attempts).toEqualTypeOf<number>();
    expectTypeOf(options.timeoutMs).toEqualTypeOf<number | undefined>();
    expectTypeOf(options.mode).toEqualTypeOf<'reject' | 'wait'>();
  });

  it('does not compile with an option that has no rule, or a rule that has no option', () => {
    const { attempts, timeoutMs, mode } = rules;
    // @ts-expect-error `signal` has no rule
    ({ attempts, timeoutMs, mode }) satisfies RulesFor<RetryOptions>;
    // @ts-expect-error there is no option `retries`
    ({ ...rules, retries: integer() }) satisfies RulesFor<RetryOptions>;
    // @ts-expect-error the option is a number
    ({ ...rules, attempts: text() }) satisfies RulesFor<RetryOptions>;
  });

  it.each([
    [
      { timeout: 5 },
      'timeout',
      'retry has no option `timeout`; did you mean `timeoutMs`? it takes attempts, timeoutMs',
    ],
    [{ Attempts: 1 }, 'Attempts', 'did you mean `attempts`?'],
    [{ wieght: 1 }, 'wieght', 'retry has no option `wieght`; it takes attempts, timeoutMs, mode, signal'],
    [{ constructor: 1 }, 'constructor', 'retry has no option `constructor`'],
    [{ attempts: 0 }, 'attempts', '`attempts` must be an integer of at least 1, got 0 (number)'],
    [{ attempts: null }, 'attempts', '`attempts` must be an integer of at least 1, got null'],
    [{ mode: 'queue' }, 'mode', '`mode` must be "reject" or "wait", got "queue"'],
    [
      { timeoutMs: -1 },
      'timeoutMs',
      '`timeoutMs` must be a number of milliseconds of at least 0, got -1 (number)',
    ],
    [
      { signal: new AbortController() },
      'signal',
      '`signal` must be an AbortSignal, got an AbortController; an AbortController has one as `controller.signal`',
    ],
  ])('refuses %j and names the option', (options, option, message) => {
    expect(() => read(options)).toThrow(
      expect.objectContaining({ option, message: expect.stringContaining(message) }),
    );
    expect(() => read(options)).toThrow(InvalidOptionError);
  });

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true (boolean)'],
    [5_000, '5000 (number)'],
    ['1s', '"1s"'],
    [[], 'an array'],
    [() => 1, 'a function'],
    [new Client(), 'a Client'],
  ])('refuses what is no object of options: %s', (options, quoted) => {
    const message = `retry takes an object of options, got ${quoted}; it takes attempts, timeoutMs, mode, signal`;
    expect(() => read(options)).toThrow(expect.objectContaining({ option: 'retry', message }));
  });

  it('reads options that are an instance of a class, and names a misspelled one', () => {
    expect(read(new Retry()).attempts).toBe(2);
    const misspelled = Object.assign(new Retry(), { timeout: 5 });
    expect(() => read(misspelled)).toThrow('retry has no option `timeout`; did you mean `timeoutMs`?');
  });
});

describe('a record within options', () => {
  const outer = { retry: orFalse(record(rules)), name: text('lb') };

  it('has its defaults when it is absent', () => {
    expect(readOptions('LoadBalancer', {}, outer).retry?.attempts).toBe(3);
    expect(readOptions('LoadBalancer', { retry: false }, outer).retry).toBeUndefined();
  });

  it('names its options by their path', () => {
    const refuse = (retry: unknown) => () => readOptions('LoadBalancer', { retry }, outer);
    expect(refuse({ attempts: '3' })).toThrow('`retry.attempts` must be an integer of at least 1, got "3"');
    expect(refuse({ atempts: 3 })).toThrow('`retry` has no option `atempts`; did you mean `attempts`?');
    expect(refuse({ atempts: 3 })).toThrow(expect.objectContaining({ option: 'retry.atempts' }));
    expect(refuse(true)).toThrow('`retry` takes an object of options, got true (boolean)');
    expect(refuse(null)).toThrow(expect.objectContaining({ option: 'retry' }));
  });
});

describe('rules', () => {
  it.each([
    [number(undefined, { above: 1 }), 1, '`x` must be a number above 1, got 1 (number)'],
    [
      number(undefined, { min: 0, max: 1 }),
      2,
      '`x` must be a number of at least 0 and at most 1, got 2 (number)',
    ],
    [number(), '50', '`x` must be a number, got "50"'],
    [number(), Number.NaN, '`x` must be a number, got NaN (number)'],
    [number(), Number.POSITIVE_INFINITY, 'got Infinity (number)'],
    [number(), 5n, 'got 5 (bigint)'],
    [number(), [1], 'got an array'],
    [number(), {}, 'got an empty object'],
    [number(), { secret: 1, b: 2 }, 'got an object with secret, b'],
    [number(), Object.create(null), 'got an empty object'],
    [number(), new Map(), 'got a Map'],
    [number(), Symbol('s'), 'got Symbol(s) (symbol)'],
    [integer(), 1.5, '`x` must be an integer, got 1.5 (number)'],
    [integer(), 2 ** 53, '`x` must be an integer, got 9007199254740992 (number)'],
    [
      durationMs(),
      Number.POSITIVE_INFINITY,
      '`x` must be a number of milliseconds of at least 0, got Infinity',
    ],
    [
      durationMs(undefined, { above: 0, endless: true }),
      0,
      'milliseconds above 0, or Infinity, got 0 (number)',
    ],
    [boolean(), 1, '`x` must be true or false, got 1 (number)'],
    [text(), '', '`x` must be a string that is not empty, got ""'],
    [functionOf('write `eviction: lru`'), 'lru', '`x` must be a function, got "lru"; write `eviction: lru`'],
    [functionOf(), class Ring {}, '`x` must be a function, got the class Ring'],
    [functionOf(value => (value === 'lru' ? 'hint' : undefined)), 'lru', 'got "lru"; hint'],
    [
      objectWith<{ get(): void; set(): void }>(['get', 'set']),
      { get() {} },
      '`x` must be an object with get(), set()',
    ],
    [objectWith([]), 'redis://', '`x` must be an object, got "redis://"'],
    [clock(), Date, '`x` must be an object with now(), sleep(), got a function'],
    [random(), 0.5, '`x` must be a function, got 0.5 (number)'],
    [signal(), { aborted: false }, '`x` must be an AbortSignal'],
    [listOf(text()), 'ab', '`x` must be an array, got "ab"'],
    [listOf(text()), ['a', 1], '`x[1]` must be a string that is not empty, got 1 (number)'],
    [required(integer()), undefined, '`x` is required'],
    [required(integer(), 'how many entries to keep'), undefined, '`x` is required: how many entries to keep'],
    [oneOf(undefined, [1, 2, true]), 3, '`x` must be 1 or 2 or true, got 3 (number)'],
  ])(
    'refuse, quote the value and say what to write: %#',
    (rule: (value: unknown, option: string) => unknown, value, message) => {
      expect(() => rule(value, 'x')).toThrow(InvalidOptionError);
      expect(() => rule(value, 'x')).toThrow(message);
    },
  );

  it('return what they accept', () => {
    expect(number()(1.25, 'x')).toBe(1.25);
    expect(durationMs(5, { endless: true })(Number.POSITIVE_INFINITY, 'x')).toBe(Number.POSITIVE_INFINITY);
    expect(durationMs(5)(0, 'x')).toBe(0);
    expect(listOf(integer())([1, 2], 'x')).toEqual([1, 2]);
    expect(listOf(integer())(undefined, 'x')).toBeUndefined();
    const { signal: given } = new AbortController();
    expect(signal()(given, 'x')).toBe(given);
    expect(clock()(undefined, 'x')).toBe(systemClock);
    expect(random()(undefined, 'x')).toBe(Math.random);
    expect(defaultTo(7, integer())(undefined, 'x')).toBe(7);
    expect(boolean(true)(false, 'x')).toBe(false);
  });

  it('quote a long text in part', () => {
    expect(() => number()('a'.repeat(100), 'x')).toThrow(`"${'a'.repeat(60)}…"`);
  });
});
