import { jsonOf } from '@ashlar/core';
import { InvalidPayloadError } from '../errors.ts';
import { bytesOf, textOf } from './text.ts';

export const json = 'application/json';
export const binary = 'application/octet-stream';

/** The version of a payload's form, as CloudEvents extension attributes are named. */
export const versionHeader = 'ce-schemaversion';

/** How a topic's payloads and attributes travel: CloudEvents 1.0 in binary mode, JSON in the body, bytes as they are. */
export class Envelope {
  readonly #source: string;
  /** Making the text of a time takes longer than making a message; within a millisecond it is the same. */
  #timeMs = 0;
  #time = '';

  /** @param source CloudEvents `source`: a URI reference that with the id is unique */
  constructor(source: string) {
    this.#source = source;
  }

  headers(id: string, topic: string, isBytes: boolean): Record<string, string> {
    const now = Date.now();
    if (now !== this.#timeMs) {
      this.#timeMs = now;
      this.#time = new Date(now).toISOString();
    }
    return {
      'ce-specversion': '1.0',
      'ce-id': id,
      'ce-source': this.#source,
      'ce-type': topic,
      'ce-time': this.#time,
      'content-type': isBytes ? binary : json,
    };
  }
}

/** @throws InvalidPayloadError for what JSON does not keep as it is, such as a Date */
export function encode(topic: string, payload: unknown): Uint8Array {
  return payload instanceof Uint8Array ? payload : jsonBytes(topic, payload);
}

/** Of a result or a progress: more would hold up a driver's other calls, or be refused again at each attempt to settle. */
const maxKeptBytes = 2 ** 24;

/**
 * For results and progress, which are always JSON.
 *
 * @throws InvalidPayloadError for what JSON does not keep as it is, or is too large
 */
export function keptBytes(topic: string, value: unknown): Uint8Array {
  const bytes = jsonBytes(topic, value);
  if (bytes.byteLength <= maxKeptBytes) return bytes;
  const words = `it has ${bytes.byteLength} bytes of JSON, and ${maxKeptBytes} are kept at most`;
  throw new InvalidPayloadError(topic, [words]);
}

function jsonBytes(topic: string, value: unknown): Uint8Array {
  try {
    return bytesOf(jsonOf(value));
  } catch (error) {
    throw new InvalidPayloadError(topic, [(error as Error).message], { cause: error });
  }
}

/** @throws InvalidPayloadError for what is no JSON */
export function decode(topic: string, body: Uint8Array, contentType: string | undefined): unknown {
  // A copy: in memory, other groups and the next attempt get the same body, and handlers may write to what they were given
  if (contentType === binary) return new Uint8Array(body);
  try {
    return JSON.parse(textOf(body));
  } catch (error) {
    throw new InvalidPayloadError(topic, [`its body is no JSON: ${(error as Error).message}`], {
      cause: error,
    });
  }
}
