import { createRequire } from 'node:module';
import { MissingPeerError } from '@ashlar/core';

/** By this name, tools that copy what a server needs find the library, as those of Nitro and Vercel do. */
const require = createRequire(import.meta.url);

/** `#nats` in Node, which names the command that installs the client. Bundlers resolve it to the client itself. */
function load(): typeof import('@nats-io/transport-node') {
  try {
    return require('@nats-io/transport-node') as typeof import('@nats-io/transport-node');
  } catch (cause) {
    throw new MissingPeerError('@ashlar/queue/nats', '@nats-io/transport-node', '@nats-io/transport-node@3', {
      cause,
    });
  }
}

const client = load();

export const connect: typeof import('@nats-io/transport-node').connect = client.connect;
export const createInbox: typeof import('@nats-io/transport-node').createInbox = client.createInbox;
export const headers: typeof import('@nats-io/transport-node').headers = client.headers;
export const RequestError: typeof import('@nats-io/transport-node').RequestError = client.RequestError;
export const TimeoutError: typeof import('@nats-io/transport-node').TimeoutError = client.TimeoutError;
export const AuthorizationError: typeof import('@nats-io/transport-node').AuthorizationError =
  client.AuthorizationError;
export const PermissionViolationError: typeof import('@nats-io/transport-node').PermissionViolationError =
  client.PermissionViolationError;
export const UserAuthenticationExpiredError: typeof import('@nats-io/transport-node').UserAuthenticationExpiredError =
  client.UserAuthenticationExpiredError;
