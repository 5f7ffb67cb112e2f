import { describe, InvalidOptionError } from '@ashlar/core';
import type { Endpoint } from '../../endpoint.ts';
import { checkedEndpoints } from '../../endpoint.ts';

/** What the store holds for an endpoint. */
export interface Registered<E extends Endpoint> {
  readonly endpoint: E;
  /** How long it counts without a sign of life. */
  readonly ttlMs: number;
  /** Of the registration: two processes may use one id, as one that starts while its forerunner ends. */
  readonly instance: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** What the keys of a service begin with. @throws InvalidOptionError */
export function prefixOf(service: string): string {
  if (typeof service !== 'string' || service === '') {
    const got = describe(service);
    throw new InvalidOptionError('service', `\`service\` must be a string that is not empty, got ${got}`);
  }
  return `lb/${segment('service', service)}/`;
}

export function keyOf(service: string, id: string): string {
  return prefixOf(service) + segment('id', id);
}

/** @throws InvalidEndpointError, InvalidOptionError for what JSON cannot say */
export function encode<E extends Endpoint>(registered: Registered<E>): Uint8Array {
  checkedEndpoints([registered.endpoint]);
  try {
    return encoder.encode(JSON.stringify(registered));
  } catch (cause) {
    const message = `\`endpoint\` cannot be written as JSON: ${String(cause)}`;
    throw new InvalidOptionError('endpoint', message, { cause });
  }
}

/** The type of the endpoint is the caller's word. Throws what is wrong with it. */
export function decode<E extends Endpoint>(value: Uint8Array): Registered<E> {
  const registered = JSON.parse(decoder.decode(value)) as Registered<E>;
  checkedEndpoints([registered.endpoint]);
  if (!Number.isFinite(registered.ttlMs)) throw new TypeError('it has no `ttlMs`');
  return registered;
}

/** No service's keys begin with those of another. */
function segment(option: string, text: string): string {
  try {
    return encodeURIComponent(text);
  } catch (cause) {
    const message = `\`${option}\` ${describe(text)} has half a surrogate pair and so no UTF-8 form`;
    throw new InvalidOptionError(option, message, { cause });
  }
}
