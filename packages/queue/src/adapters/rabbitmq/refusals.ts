import { AshlarError, describe, InvalidOptionError } from '@ashlar/core';
import { QueueUnavailableError } from '../../errors.ts';

/** Which option of the driver an argument of a queue comes from. */
const optionOf: Readonly<Record<string, string>> = {
  'x-queue-type': 'queueType',
  'x-max-priority': 'queueType',
};

/** Codes of AMQP that say that the same call would be refused again, until an operator changes something. */
const refusals = new Set([403, 405, 406, 530]);
const tlsCode = /^(?:ERR_TLS_|ERR_SSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;
const handshake = /^Handshake terminated by server|^Expected ConnectionOpenOk|^SASL mechanism/;
const vhostRefused = /^Expected ConnectionOpenOk/;
const quoted = /with message "(.*)"$/s;
const inequivalent =
  /inequivalent arg '([^']+)' for queue '([^']+)' in vhost '.*': received (.+) but current is (.+)$/s;

/** An error of amqplib, or one of ours with that as its cause: whether waiting does not help. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof InvalidOptionError) return true;
  const { code, message } = rootOf(error);
  if (typeof code === 'string') return tlsCode.test(code);
  return refusals.has(code as number) || handshake.test(String(message));
}

/** Whether RabbitMQ says that what was asked for does not exist. */
export function isNotFound(error: unknown): boolean {
  return rootOf(error).code === 404;
}

/** Whether the user may not do it. */
export function isForbidden(error: unknown): boolean {
  return rootOf(error).code === 403;
}

/** What amqplib throws, as an error of ours that says what RabbitMQ has said. */
export function typed(error: unknown, outcome: 'NotExecuted' | 'Unknown'): Error {
  if (error instanceof AshlarError) return error;
  const text = said(error);
  const differs = inequivalent.exec(text);
  if (differs !== null) return different(differs as unknown as Difference, error);
  // What RabbitMQ has refused, or amqplib before it was sent, did not happen
  const isOver =
    isRefusal(error) || isNotFound(error) || error instanceof TypeError || error instanceof RangeError;
  return new QueueUnavailableError(`RabbitMQ: ${text}`, isOver ? 'NotExecuted' : outcome, { cause: error });
}

/** Why a connection was refused, with who asked for what. */
export function refusedConnection(error: unknown, url: URL): Error {
  const user = describe(decoded(url.username) || 'guest');
  let why = said(error);
  if (vhostRefused.test(why)) {
    // amqplib leaves out what RabbitMQ has said
    const vhost = describe(decoded(url.pathname.slice(1)) || '/');
    why = `it refused to open the vhost ${vhost}: it does not exist, or not for this user, or not now`;
  }
  const text = `RabbitMQ at ${url.host}, as user ${user}: ${why}`;
  return new QueueUnavailableError(text, 'NotExecuted', { cause: error });
}

type Difference = readonly [string, argument: string, queue: string, received: string, current: string];

/** A queue exists with other arguments, which RabbitMQ cannot change. */
function different([, argument, queue, received, current]: Difference, cause: unknown): InvalidOptionError {
  const isDead = queue.endsWith(':dead');
  const option =
    argument === 'x-max-length'
      ? isDead
        ? 'maxDead'
        : 'maxMessages'
      : ((isDead ? undefined : optionOf[argument]) ?? argument);
  const message = `\`${option}\` must be ${bare(current)}, with which queue ${describe(queue)} was declared, got ${bare(received)}; declare it as it is, or delete the queue`;
  return new InvalidOptionError(option, message, { cause });
}

/** `the value '10' of type 'long'`, or `'10'`. */
function bare(text: string): string {
  return text
    .replace(/^the value /, '')
    .replace(/ of type '.*'$/s, '')
    .replace(/^'(.*)'$/s, '$1');
}

function said(error: unknown): string {
  const { message, code } = (error ?? {}) as { readonly message?: unknown; readonly code?: unknown };
  // Node says nothing of several addresses of one name that all refuse
  const text = String(message || code || error);
  return quoted.exec(text)?.[1] ?? text;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function rootOf(error: unknown): { readonly code?: unknown; readonly message?: unknown } {
  const root = error instanceof AshlarError && error.cause !== undefined ? error.cause : error;
  return (root ?? {}) as { readonly code?: unknown; readonly message?: unknown };
}
