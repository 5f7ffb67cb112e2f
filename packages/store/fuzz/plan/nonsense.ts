import { InvalidOptionError } from '@ashlar/core';
import { InvalidKeyError, maxTtlMs, maxValueBytes, type Store, ValueTooLargeError } from '../../src/index.ts';

interface Nonsense {
  readonly code: string;
  call(store: Store): Promise<unknown>;
}

const value = new Uint8Array([1]);
const option = InvalidOptionError.code;
const key = InvalidKeyError.code;

/** Numbers that are no time to live. */
const times = [0, -1, -0, Number.NaN, Infinity, -Infinity, maxTtlMs + 1, 2 ** 53, Number.MAX_VALUE, 1n];

/** Numbers that are no token. */
const tokens = [-1n, 2n ** 53n - 2n, 2n ** 53n, 2n ** 63n, 2n ** 64n, 10n ** 40n, 1, Number.NaN, '1'];

/** Strings, and others, that are no key. */
const keys = ['\ud83d', 'a\ude00b', 'x'.repeat(1_025), '\u20ac'.repeat(342), 7, null, new Uint8Array(1)];

const all: Record<string, Nonsense> = {
  'a value over the limit': {
    code: ValueTooLargeError.code,
    call: store => store.set('key', new Uint8Array(maxValueBytes + 1)),
  },
  'a value of text': { code: option, call: store => store.set('key', 'text' as never) },
  'options that are none': { code: option, call: store => store.set('key', value, null as never) },
  'an option there is not': { code: option, call: store => store.set('key', value, { ttl: 1 } as never) },
  'a version of another type': {
    code: option,
    call: store => store.set('key', value, { ifVersion: 7 as never }),
  },
};
for (const ms of times) {
  all[`a time of ${Object.is(ms, -0) ? '-0' : ms}`] = {
    code: option,
    call: store => store.set('key', value, { ttlMs: ms as never }),
  };
  all[`a claim for ${Object.is(ms, -0) ? '-0' : ms}`] = {
    code: option,
    call: store => store.claim('name', 'holder', ms as never),
  };
}
for (const token of tokens) {
  all[`a token of ${typeof token} ${token}`] = {
    code: option,
    call: store => store.release('name', token as never),
  };
  all[`above ${typeof token} ${token}`] = {
    code: option,
    call: store => store.claim('name', 'holder', 1_000, { above: token as never }),
  };
}
for (const wrong of keys) {
  const shown = JSON.stringify(wrong).slice(0, 12);
  all[`key ${shown}`] = { code: key, call: store => store.get(wrong as never) };
  all[`one key of many ${shown}`] = { code: key, call: store => store.getMany(['key', wrong as never]) };
  all[`holder ${shown}`] = { code: key, call: store => store.claim('name', wrong as never, 1_000) };
}

/** Calls that no store takes, by name, with the code of the error that it rejects with. */
export const nonsense: Readonly<Record<string, Nonsense>> = all;
