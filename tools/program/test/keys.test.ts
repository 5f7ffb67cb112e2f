import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type KeySource, Keys } from '../src/index.ts';

/** A terminal that is typed at with `emit('data', …)`. */
class Terminal extends EventEmitter {
  readonly calls: string[] = [];
  setRawMode(on: boolean) {
    this.calls.push(`raw ${on}`);
    return this;
  }
  setEncoding() {
    return this;
  }
  resume() {
    this.calls.push('resume');
    return this;
  }
  pause() {
    this.calls.push('pause');
    return this;
  }
}

describe('keys', () => {
  it('are told one by one, but for the ends of the program', async () => {
    const terminal = new Terminal();
    const typed: string[] = [];
    const press = (key: string) => void typed.push(key);
    {
      using keys = new Keys(terminal as unknown as KeySource, press, () => press('Ctrl-C'));
      terminal.emit('data', 'k2');
      terminal.emit('data', '\x03');
      const quit = keys.untilQuit(new AbortController().signal);
      terminal.emit('data', 'sq');
      await quit;
    }
    terminal.emit('data', 'k');
    expect(typed).toEqual(['k', '2', 'Ctrl-C', 's']);
    expect(terminal.calls).toEqual(['raw true', 'resume', 'raw false', 'pause']);
  });

  it('end with the signal', async () => {
    using keys = new Keys(
      new Terminal() as unknown as KeySource,
      () => {},
      () => {},
    );
    await expect(keys.untilQuit(AbortSignal.abort(new Error('over')))).rejects.toThrow('over');
  });
});
