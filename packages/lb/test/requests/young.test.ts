import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const src = new URL('../../src/', import.meta.url);

/** What each request runs through. */
const rooms = ['requests', 'endpoints', 'adapters/http', 'adapters/proxy', 'adapters/undici'];

/** They do it once a connection. */
const exceptions = ['adapters/http/connection.ts', 'adapters/http/resets.ts'];

/** A function right behind `x.y =`: V8 allocates it in the old generation until the code around it is optimized. */
const assigned =
  /[\w)\]!]\.#?\w+\s*(?:\?\?)?=\s*(?:async\s*)?(?:function\b|(?:\([^()]*\)|\w+)(?:\s*:[^=;]+)?\s*=>)/;

describe('what a request is made of', () => {
  it('is not allocated in the old generation, where it would keep the request in memory', () => {
    const files = rooms.flatMap(room =>
      readdirSync(new URL(room, src), { recursive: true }).map(name => `${room}/${name}`),
    );
    const found = files.filter(
      file => file.endsWith('.ts') && assigned.test(readFileSync(new URL(file, src), 'utf8')),
    );
    expect(found.sort()).toEqual(exceptions);
  });

  it.each([
    'call.onStop = reason => this.#stop(reason)',
    'this.#take = (chunk: Buffer): void => {',
    'this.#verdict =\n  async () => 1',
    'flight!.onAbort ??= function () {}',
  ])('would be found: %s', line => expect(line).toMatch(assigned));

  it.each([
    'const stop = (reason: unknown) => this.#stop(reason)',
    'this.#timer = setTimeout(() => this.#look(), 1)',
    'readonly #onClose = (): void => {',
    'this.#ids = new Map(tokens.map(([id, token]) => [token, id]))',
  ])('would not be found: %s', line => expect(line).not.toMatch(assigned));
});
