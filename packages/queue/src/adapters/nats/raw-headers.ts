import type { Msg, MsgHdrs } from '@nats-io/transport-node';

/** The headers of a message, the first value of each name. */
export type Fields = ReadonlyMap<string, string>;

/** What nats-core has, and its types leave out: bytes of subject, answer, headers and data. */
interface Sized {
  size(): number;
}

const version = 'NATS/1.0';
const end = '\r\n\r\n';

/**
 * Read from the packet, where nats-core shows it: it has the data as a view of the packet, and the headers are before that.
 * Its own reader goes over all names for each, and again for each that is asked for, which costs more than all else.
 */
export function fieldsOf(message: Msg): Fields {
  const { data } = message;
  const size = (message as Partial<Sized>).size?.() ?? 0;
  const length = size - message.subject.length - (message.reply?.length ?? 0) - data.byteLength;
  if (length > 0 && length <= data.byteOffset) {
    const text = Buffer.from(data.buffer, data.byteOffset - length, length).toString();
    if (text.startsWith(version) && text.endsWith(end)) return parse(text);
  }
  return message.headers === undefined ? new Map() : read(message.headers);
}

/** Of a stored message, as the API of JetStream has them. */
export function parseHeaders(base64: string | undefined): Fields {
  return parse(Buffer.from(base64 ?? '', 'base64').toString());
}

function parse(text: string): Fields {
  const fields = new Map<string, string>();
  for (let at = text.indexOf('\r\n') + 2; at >= 2 && at < text.length; ) {
    const next = text.indexOf('\r\n', at);
    const to = next < 0 ? text.length : next;
    const colon = text.indexOf(':', at);
    if (colon > at && colon < to) {
      const name = text.slice(at, colon);
      if (!fields.has(name)) fields.set(name, text.slice(colon + 1, to).trim());
    }
    at = to + 2;
  }
  return fields;
}

function read(headers: MsgHdrs): Fields {
  return new Map(headers.keys().map(name => [name, headers.get(name)]));
}
