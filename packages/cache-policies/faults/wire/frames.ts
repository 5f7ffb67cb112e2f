const [cr, lf] = [13, 10];

/** Cuts the bytes of a Redis server into replies, RESP2 and RESP3. */
export class Frames {
  #rest = Buffer.alloc(0);

  /** The replies that are complete with these bytes. */
  take(chunk: Buffer): Buffer[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Buffer[] = [];
    let at = 0;
    for (let end = endOf(bytes, at); end !== undefined; end = endOf(bytes, at)) {
      frames.push(bytes.subarray(at, end));
      at = end;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
    return frames;
  }
}

/** Whether a reply tells of a change: something published, or a key that the server tracks. */
export function isNews(frame: Buffer): boolean {
  return /^[*>]\d+\r\n\$\d+\r\n(?:message|invalidate)\r\n/.test(frame.toString('latin1', 0, 64));
}

/** Where the reply that begins there ends, if it is complete. */
function endOf(bytes: Buffer, at: number): number | undefined {
  const line = bytes.indexOf('\r\n', at, 'latin1');
  if (line < 0 || bytes[line] !== cr || bytes[line + 1] !== lf) return undefined;
  const kind = String.fromCharCode(bytes[at]!);
  const count = Number(bytes.toString('latin1', at + 1, line));
  let end: number | undefined = line + 2;
  if ('$=!'.includes(kind)) {
    if (count >= 0) end += count + 2;
    return end <= bytes.length ? end : undefined;
  }
  const parts = '*>~'.includes(kind) ? count : kind === '%' ? 2 * count : 0;
  for (let part = 0; part < parts && end !== undefined; part++) end = endOf(bytes, end);
  return end;
}
