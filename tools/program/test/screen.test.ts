import { describe, expect, it } from 'vitest';
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
});
