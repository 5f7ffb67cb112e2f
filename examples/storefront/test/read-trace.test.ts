import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linesOf, tooLong } from '../src/workload/lines.ts';
import { readTrace, TraceError } from '../src/workload/read-trace.ts';

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

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'storefront-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(content: string | Uint8Array): Promise<string> {
  const path = join(folder, `${Math.random()}.log`);
  await writeFile(path, content);
  return path;
}

describe('readTrace', () => {
  it.each([
    ['plain', (text: string) => text],
    ['gzip', (text: string) => gzipSync(text)],
    [
      'gzip in several members',
      (text: string) => Buffer.concat([gzipSync(text.slice(0, 5)), gzipSync(text.slice(5))]),
    ],
  ])('reads a key a line, %s', async (_, pack) => {
    const trace = await readTrace(await file(pack(' 7\r\n\nshoe/1\r\n7\nstraße')));
    expect(trace).toEqual({
      format: 'keys',
      keys: ['7', 'shoe/1', '7', 'straße'],
      badLines: 0,
      skippedLines: 0,
    });
  });

  it('takes the paths of the GETs of an access log, and counts what it leaves out', async () => {
    const trace = await readTrace(await file(combined));
    expect(trace).toEqual({
      format: 'access log',
      keys: ['/shoes/12', '/hats', '/hats', '/'],
      badLines: 2,
      skippedLines: 1,
    });
  });

  it('recognizes a log that begins with damaged lines', async () => {
    const { format, badLines } = await readTrace(await file(`\u0000\u0000\nhalf a li\n${combined}`));
    expect({ format, badLines }).toEqual({ format: 'access log', badLines: 4 });
  });

  it('stops at the limit, within the first lines and after', async () => {
    const path = await file(Array.from({ length: 100 }, (_, at) => `${at}\n`).join(''));
    expect((await readTrace(path, 5)).keys).toEqual(['0', '1', '2', '3', '4']);
    expect((await readTrace(path, 50)).keys).toHaveLength(50);
  });

  it('counts lines that no key can be', async () => {
    const { keys, badLines } = await readTrace(
      await file(`ok\n${'x'.repeat(2_049)}\na\u0001b\n..\n${'y'.repeat(70_000)}`),
    );
    expect({ keys, badLines }).toEqual({ keys: ['ok'], badLines: 4 });
  });

  it('refuses in one line what it cannot read', async () => {
    const damaged = gzipSync('1\n'.repeat(10_000)).subarray(0, 30);
    const corrupt = Buffer.from(gzipSync(Array.from({ length: 5_000 }, Math.random).join('\n')));
    corrupt.fill(0xff, 1_000, 1_050);
    const refused = [
      [join(folder, 'round-robin'), /there is no such file$/],
      [folder, /is a directory$/],
      [await file(''), /the file is empty$/],
      [await file('\n \n'), /the file is empty$/],
      [await file(Uint8Array.of(0x1f, 0x8b)), /the gzip data is damaged/],
      [await file(damaged), /the gzip data is damaged/],
      [await file(corrupt), /the gzip data is damaged/],
      [
        await file(Uint8Array.from({ length: 3_000 }, (_, at) => (at * 7) % 32)),
        /has no key \(\d+ bad lines/,
      ],
    ] as const;
    for (const [path, message] of refused) {
      const error = await readTrace(path).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TraceError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).not.toContain('\n');
    }
  });
});

describe('linesOf', () => {
  async function* pieces(...texts: Uint8Array[]) {
    yield* texts;
  }
  const collect = async (lines: AsyncIterable<string | typeof tooLong>) => {
    const all: (string | typeof tooLong)[] = [];
    for await (const line of lines) all.push(line);
    return all;
  };

  it('joins lines and characters that are cut in pieces', async () => {
    const bytes = Buffer.from('añb\r\nc\n\nd€');
    for (let cut = 0; cut <= bytes.length; cut++) {
      const lines = linesOf(pieces(bytes.subarray(0, cut), bytes.subarray(cut)));
      expect(await collect(lines)).toEqual(['añb', 'c', '', 'd€']);
    }
  });

  it('drops the text of a line that is too long, however it comes, and goes on with the next', async () => {
    const text = `ab\n${'x'.repeat(20)}\ncd`;
    for (const size of [1, 7, 100]) {
      const cut = text.match(new RegExp(`[^]{1,${size}}`, 'g'))!.map(piece => Buffer.from(piece));
      expect(await collect(linesOf(pieces(...cut), 10))).toEqual(['ab', tooLong, 'cd']);
    }
    expect(await collect(linesOf(pieces(Buffer.from('x'.repeat(11))), 10))).toEqual([tooLong]);
  });
});
