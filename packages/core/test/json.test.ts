import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { jsonOf, lostIn } from '../src/index.ts';

class Row {
  id = 1;
}
class Money {
  readonly #cents = 100;
  get cents(): number {
    return this.#cents;
  }
}
class Rows extends Array<number> {}

const circle: { self?: unknown } = {};
circle.self = circle;

it.each([
  ['text', '"text"'],
  ['\ud83d', '"\\ud83d"'],
  [0, '0'],
  [null, 'null'],
  [[1, [true, { a: {} }]], '[1,[true,{"a":{}}]]'],
  [{ a: undefined, b: 1 }, '{"b":1}'],
  [Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
  [new Row(), '{"id":1}'],
  [runInNewContext('({ a: [1] })'), '{"a":[1]}'],
  [JSON.parse('{"__proto__":{"a":1}}'), '{"__proto__":{"a":1}}'],
] as const)('keeps %j', (value, text) => {
  expect(jsonOf(value)).toBe(text);
});

it.each([
  [undefined, 'undefined'],
  [Number.NaN, 'NaN (number)'],
  [{ a: [1, Number.POSITIVE_INFINITY] }, 'Infinity (number) at 1 at "a"'],
  [new Date(0), 'a Date'],
  [{ at: new Date(Number.NaN) }, 'a Date at "at"'],
  [new Map([[1, 2]]), 'a Map'],
  [[new Set([1])], 'a Set at 0'],
  [/a/u, 'a RegExp'],
  [new Error('a'), 'an Error'],
  [new URL('http://a/'), 'an URL'],
  [Buffer.of(1), 'a Buffer'],
  [new Uint8Array(1), 'an Uint8Array'],
  [new ArrayBuffer(1), 'an ArrayBuffer'],
  [Object(1), 'a Number'],
  [Promise.resolve(1), 'a Promise'],
  [new Money(), 'a Money'],
  [{ f: () => 1 }, 'a function at "f"'],
  [{ s: Symbol.iterator }, 'Symbol(Symbol.iterator) (symbol) at "s"'],
  [[1, undefined], 'undefined at 1'],
  [Array(1), 'undefined at 0'],
  [{ toJSON: () => 1 }, 'a function at "toJSON"'],
])('refuses %s, and says where it is', (value, lost) => {
  expect(() => jsonOf(value)).toThrow(new TypeError(`JSON does not keep ${lost}`));
});

it('refuses what JSON refuses', () => {
  expect(() => jsonOf({ a: [1n] })).toThrow(new TypeError('JSON does not keep 1 (bigint) at 0 at "a"'));
  expect(() => jsonOf({ circle, a: 1n })).toThrow(new TypeError('JSON does not keep 1 (bigint) at "a"'));
  expect(() => jsonOf(circle)).toThrow(TypeError);
});

it('keeps instances of a subclass of Array as arrays', () => {
  expect(jsonOf(Rows.of(1, 2))).toBe('[1,2]');
});

it('looks into what another format keeps', () => {
  const keeps = { primitives: true, prototype: (p: object) => p === Map.prototype || p === Set.prototype };
  expect(lostIn(new Map<unknown, unknown>([[1n, new Set([Number.NaN, circle])]]), keeps)).toBeUndefined();
  expect(lostIn(new Map([[{}, { a: () => 1 }]]), keeps)).toBe('a function at "a" in a Map');
  expect(lostIn(new Set([new Money()]), keeps)).toBe('a Money in a Set');
});
