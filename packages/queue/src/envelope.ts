import { jsonOf } from '@ashlar/core';
import { InvalidPayloadError } from './errors.ts';

const json = 'application/json';
const binary = 'application/octet-stream';

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
  if (payload instanceof Uint8Array) return payload;
  try {
    return Buffer.from(jsonOf(payload));
  } catch (error) {
    throw new InvalidPayloadError(topic, [(error as Error).message], { cause: error });
  }
}

/** @throws InvalidPayloadError for what is no JSON */
export function decode(topic: string, body: Uint8Array, headers: Readonly<Record<string, string>>): unknown {
  if (headers['content-type'] === binary) return body;
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidPayloadError(topic, [`its body is no JSON: ${(error as Error).message}`], {
      cause: error,
    });
  }
}
