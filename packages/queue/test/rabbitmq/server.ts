import { createHash } from 'node:crypto';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, type RabbitServer, startRabbit, temporaryDirectory } from '@workspace/services';

/** A certificate that is its own authority, for `localhost` and 127.0.0.1. */
export const certificate: string = fileURLToPath(new URL('./tls/cert.pem', import.meta.url));
const key = fileURLToPath(new URL('./tls/key.pem', import.meta.url));

/** The users beside `guest`: what they may do is in their names, and so is their password. */
const permissions: Readonly<Record<string, { configure: string; write: string; read: string }>> = {
  all: { configure: '.*', write: '.*', read: '.*' },
  writer: { configure: '^$', write: '.*', read: '^$' },
  nobody: { configure: '^$', write: '^$', read: '^$' },
};

export interface GuardedServer {
  readonly server: RabbitServer;
  readonly tlsPort: number;
  /** The address for one of the users. */
  at(user: string, rest?: { readonly password?: string; readonly vhost?: string }): string;
}

export const maxMessageBytes = 100_000;

/** A server with users of several rights, a port for TLS, and a low bound for messages. */
export async function startGuarded(): Promise<GuardedServer> {
  const [tlsPort] = (await freePorts(1)) as [number];
  const directory = temporaryDirectory('rabbitmq-definitions');
  const definitions = join(directory, 'definitions.json');
  writeFileSync(definitions, JSON.stringify(users()));
  // A server may see the folders for temporary files alone
  copyFileSync(certificate, join(directory, 'cert.pem'));
  copyFileSync(key, join(directory, 'key.pem'));
  const lines = [
    `load_definitions = ${definitions}`,
    `listeners.ssl.1 = 127.0.0.1:${tlsPort}`,
    `ssl_options.certfile = ${join(directory, 'cert.pem')}`,
    `ssl_options.keyfile = ${join(directory, 'key.pem')}`,
    'ssl_options.verify = verify_none',
    `max_message_size = ${maxMessageBytes}`,
  ];
  const server = await startRabbit({ own: true, config: lines.join('\n') });
  return {
    server,
    tlsPort,
    at: (user, { password = user, vhost = '' } = {}) =>
      `amqp://${user}:${password}@127.0.0.1:${server.port}/${vhost}`,
  };
}

function users(): object {
  const all = { guest: permissions['all']!, ...permissions };
  return {
    vhosts: [{ name: '/' }],
    users: Object.keys(all).map(name => ({
      name,
      password_hash: hashed(name),
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: name === 'guest' ? 'administrator' : '',
    })),
    permissions: Object.entries(all).map(([user, rights]) => ({ user, vhost: '/', ...rights })),
  };
}

function hashed(password: string): string {
  const salt = Buffer.from('salt');
  const hash = createHash('sha256').update(salt).update(password).digest();
  return Buffer.concat([salt, hash]).toString('base64');
}
