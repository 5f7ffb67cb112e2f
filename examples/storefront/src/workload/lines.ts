/** A line that was longer than the limit, whose text was dropped. */
export const tooLong: unique symbol = Symbol('a line that is too long');

/**
 * The lines of a UTF-8 text that comes in pieces, without their ends (`\n` or `\r\n`). Holds one line at most, and of
 * that no more than `maxLength` characters: a file that is not text does not fill the memory.
 */
export async function* linesOf(
  pieces: AsyncIterable<Uint8Array>,
  maxLength: number = 65_536,
): AsyncGenerator<string | typeof tooLong> {
  const decoder = new TextDecoder();
  let open = '';
  let dropping = false;
  const finish = (rest: string): string | typeof tooLong => {
    const line = open + rest;
    const dropped = dropping || line.length > maxLength;
    open = '';
    dropping = false;
    return dropped ? tooLong : line.endsWith('\r') ? line.slice(0, -1) : line;
  };
  for await (const piece of pieces) {
    const ended = decoder.decode(piece, { stream: true }).split('\n');
    const rest = ended.pop() ?? '';
    for (const line of ended) yield finish(line);
    if (open.length + rest.length > maxLength) dropping = true;
    open = dropping ? '' : open + rest;
  }
  const rest = decoder.decode();
  if (open !== '' || rest !== '' || dropping) yield finish(rest);
}
