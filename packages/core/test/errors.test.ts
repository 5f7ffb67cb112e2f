import { describe, expect, it, vi } from 'vitest';
import { AshlarError, InvalidOptionError } from '../src/index.ts';

class LostError extends AshlarError {
  static override readonly code: string = 'ASHLAR_LOST';
}
class VeryLostError extends LostError {
  static override readonly code: string = 'ASHLAR_VERY_LOST';
}
class Unnamed extends LostError {}

describe('AshlarError', () => {
  it('carries its code, name, message and cause', () => {
    const cause = new Error('socket closed');
    const error = new LostError('the lease of "nightly" is lost', { cause });
    expect(error).toMatchObject({ code: 'ASHLAR_LOST', name: 'LostError', cause });
    expect(String(error)).toBe('LostError: the lease of "nightly" is lost');
    expect(Object.keys(error)).toEqual(['code', 'retryable']);
  });

  it('is an instance of its own and its parent classes, and of no other', () => {
    const error = new VeryLostError('');
    expect([LostError, VeryLostError, AshlarError, Error].every(type => error instanceof type)).toBe(true);
    expect(new LostError('') instanceof VeryLostError).toBe(false);
    expect(new LostError('') instanceof InvalidOptionError).toBe(false);
    for (const other of [undefined, null, 'ASHLAR_LOST', {}, new Error('x')]) {
      expect((other as unknown) instanceof AshlarError).toBe(false);
    }
  });

  it('does not take a parent for a subclass that declares no code', () => {
    expect(new LostError('') instanceof Unnamed).toBe(false);
    expect(new Unnamed('') instanceof Unnamed).toBe(true);
    expect(new Unnamed('') instanceof LostError).toBe(true);
  });

  it('is recognized by the class of a second copy of the package', async () => {
    vi.resetModules();
    const copy = await import('../src/errors.ts');
    expect(copy.InvalidOptionError).not.toBe(InvalidOptionError);
    expect(new InvalidOptionError('max', '') instanceof copy.InvalidOptionError).toBe(true);
    expect(new copy.InvalidOptionError('max', '') instanceof AshlarError).toBe(true);
  });
});
