import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { type Key, Trace, TraceError } from '../src/trace.ts';

const folder = mkdtempSync(join(tmpdir(), 'trace-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function read(content: string | Uint8Array) {
  const file = join(folder, 'trace');
  writeFileSync(file, content);
  const trace = await Trace.open(file);
  const keys: Key[] = [];
  for await (const batch of trace.batches()) keys.push(...batch);
  const { format, requests, badLines, skippedLines } = trace;
  expect(requests).toBe(keys.length);
  return { format, keys, badLines, skippedLines };
}

const combined = [
  '127.0.0.1 - - [10/Oct/2024:13:55:36 +0200] "GET /shoes/12?utm_source=mail HTTP/1.1" 200 2326 "-" "Mozilla/5.0 (X11)"',
  '::1 - frank smith [10/Oct/2024:13:55:37 +0200] "GET /hats HTTP/2.0" 304 0 "http://x/[1]" "a \\"quoted\\" agent"',
  'shop.example:443 10.0.0.1 - - [10/Oct/2024:13:55:38 +0200] "GET http://shop.example/hats#top HTTP/1.0" 200 -',
  '10.0.0.2 - - [10/Oct/2024:13:55:39 +0200] "POST /cart HTTP/1.1" 302 0 "-" "-"',
  '10.0.0.3 - - [10/Oct/2024:13:55:40 +0200] "\\x16\\x03\\x01" 400 157 "-" "-"',
  '10.0.0.4 - - [10/Oct/2024:13:55:41 +0200] "GET http://shop.example HTTP/1.1" 200 5 "-" "-"',
  'not a line of a log',
  '',
].join('\n');

describe('Trace', () => {
  it('reads a key a line, numbers as such', async () => {
    expect(await read(' 7\r\n\nshoe/1\r\n07\nstraße')).toEqual({
      format: 'keys',
      keys: [7, 'shoe/1', '07', 'straße'],
      badLines: 0,
      skippedLines: 0,
    });
  });

  it.each([
    ['plain', combined],
    ['gzip', gzipSync(combined)],
    ['after damaged lines', `\u0001\u0001\nhalf a li\n${combined}`],
  ])(
    'takes the paths of the GETs of an access log, and counts what it leaves out: %s',
    async (_, content) => {
      const { badLines, ...rest } = await read(content);
      const keys = ['/shoes/12', '/hats', '/hats', '/'];
      expect(rest).toEqual({ format: 'access log', keys, skippedLines: 1 });
      expect(badLines).toBe(typeof content === 'string' && content !== combined ? 4 : 2);
    },
  );

  it('counts lines that no key can be', async () => {
    const bad = ['x'.repeat(2_049), 'a\u0001b', 'y'.repeat(70_000)];
    const { keys, badLines } = await read(['a', 'b', 'c', ...bad, 'd'].join('\n'));
    expect({ keys, badLines }).toEqual({ keys: ['a', 'b', 'c', 'd'], badLines: 3 });
  });

  it('closes the file when its reader has enough', async () => {
    const file = join(folder, 'long');
    writeFileSync(file, gzipSync('1\n'.repeat(2_000_000)));
    const trace = await Trace.open(file);
    for await (const batch of trace.batches()) {
      expect(batch.length).toBeGreaterThan(0);
      break;
    }
    expect(trace.requests).toBeLessThan(2_000_000);
    expect(trace.bytesRead).toBeLessThanOrEqual(trace.bytes!);
  });

  it('refuses what it cannot read in a line', async () => {
    const corrupt = Buffer.from(gzipSync(Array.from({ length: 5_000 }, (_, at) => at * 7_919).join('\n')));
    corrupt.fill(0xff, 1_000, 1_050);
    for (const content of ['', '\n \n', Uint8Array.of(0x1f, 0x8b), corrupt]) {
      const error = await read(content).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TraceError);
      expect((error as Error).message).toMatch(/^[^\n]+: (is empty|the gzip data is damaged[^\n]*)$/);
    }
    await expect(Trace.open(join(folder, 'nowhere'))).rejects.toThrow('there is no such file');
    await expect(Trace.open(folder)).rejects.toThrow('is a directory');
  });
});
