import { describe, expect, it, vi } from 'vitest';
import { Screen } from '../src/screen.ts';

function terminal(columns: number, environment = {}, isTTY = true) {
  const written: string[] = [];
  const screen = new Screen({ isTTY, columns, write: text => written.push(text) }, environment);
  return { screen, written };
}

describe('Screen', () => {
  it('keeps one line changing under those that stay, cut to the width', () => {
    const { screen, written } = terminal(10);
    screen.change('0123456789abc');
    screen.print('stays');
    screen.change('');
    expect(written).toEqual(['\r\x1b[K012345678', '\r\x1b[Kstays\n012345678', '\r\x1b[K']);
  });

  it('keeps several lines changing', () => {
    const { screen, written } = terminal(10);
    screen.change('0123456789abc\ntwo\nthree');
    screen.print('stays');
    screen.change('one');
    screen.change('');
    const three = '012345678\ntwo\nthree';
    const up = '\x1b[2A\r\x1b[J';
    expect(written).toEqual([`\r\x1b[K${three}`, `${up}stays\n${three}`, `${up}one`, '\r\x1b[K']);
  });

  it('breaks lines that stay between words, and leaves what has none or is painted to the terminal', () => {
    const { screen, written } = terminal(10);
    screen.print('one two three four\n  in in in in\n0123456789abc\n\x1b[31mred red red\x1b[39m');
    expect(written).toEqual([
      'one two\nthree four\n  in in in\n  in\n0123456789abc\n\x1b[31mred red red\x1b[39m\n',
    ]);
    const plain = terminal(10, {}, false);
    plain.screen.print('one two three four');
    expect(plain.written).toEqual(['one two three four\n']);
  });

  it('takes a terminal without a width for a usual one', () => {
    const { screen, written } = terminal(0);
    screen.change('x'.repeat(100));
    expect(written).toEqual([`\r\x1b[K${'x'.repeat(79)}`]);
  });

  it('is plain and colorless without a terminal; NO_COLOR and TERM=dumb are heeded', () => {
    expect(terminal(80).screen.paint('red', 'x')).toBe('\x1b[31mx\x1b[39m');
    for (const [environment, isTTY, live] of [
      [{}, false, false],
      [{ NO_COLOR: '1' }, true, true],
      [{ TERM: 'dumb' }, true, false],
    ] as const) {
      const { screen } = terminal(80, environment, isTTY);
      expect([screen.paint('red', 'x'), screen.live]).toEqual(['x', live]);
    }
  });

  it('follows what changes until that is over, where a line can be changed', () => {
    vi.useFakeTimers();
    try {
      const [live, plain] = [terminal(80), terminal(80, {}, false)];
      let count = 0;
      for (const { screen } of [live, plain]) {
        using _line = screen.follow(() => `at ${++count}`, 100);
        vi.advanceTimersByTime(250);
      }
      vi.advanceTimersByTime(1_000);
      expect(live.written).toEqual(['\r\x1b[Kat 1', '\r\x1b[Kat 2', '\r\x1b[K']);
      expect(plain.written).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });
});
