import { InvalidOptionError, refused, required, text } from '@ashlar/core';
import type { Endpoint } from '../../endpoint.ts';
import { checkedEndpoints } from '../../endpoint.ts';

/** The value of an endpoint's entry in the store. */
export interface Registered<E extends Endpoint> {
  readonly endpoint: E;
  /** How long it lasts without a heartbeat, in milliseconds. */
  readonly ttlMs: number;
  /** Identifies the registration: two processes may use one id, as one that starts while its predecessor ends. */
  readonly instance: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

const serviceRule = required(text());

/** The prefix of the keys of a service. @throws InvalidOptionError */
export function prefixOf(service: string): string {
  return `lb/${segment('service', serviceRule(service, 'service'))}/`;
}

export function keyOf(service: string, id: string): string {
  return prefixOf(service) + segment('id', id);
}

/** @throws InvalidEndpointError, InvalidOptionError for values without a JSON form */
export function encode<E extends Endpoint>(registered: Registered<E>): Uint8Array {
  checkedEndpoints([registered.endpoint]);
  try {
    return encoder.encode(JSON.stringify(registered));
  } catch (cause) {
    const message = `\`endpoint\` cannot be written as JSON: ${String(cause)}`;
    throw new InvalidOptionError('endpoint', message, { cause });
  }
}

/** The caller vouches for the type of the endpoint. Throws for a malformed value. */
export function decode<E extends Endpoint>(value: Uint8Array): Registered<E> {
  const registered = JSON.parse(decoder.decode(value)) as Registered<E>;
  checkedEndpoints([registered.endpoint]);
  if (!Number.isFinite(registered.ttlMs)) throw new TypeError('it has no `ttlMs`');
  return registered;
}

/** Escapes `/`, so that no service's prefix begins with that of another. */
function segment(option: string, value: string): string {
  try {
    return encodeURIComponent(value);
  } catch {
    throw refused(option, 'well-formed Unicode', value, 'half a surrogate pair has no UTF-8 form');
  }
}
