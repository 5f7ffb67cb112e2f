import { createRequire } from 'node:module';
import { MissingPeerError } from '@ashlar/core';

/** By this name, tools that copy what a server needs find the library, as those of Nitro and Vercel do. */
const require = createRequire(import.meta.url);

/** `#amqplib` in Node, which names the command that installs amqplib. Bundlers resolve it to amqplib itself. */
function load(): typeof import('amqplib') {
  try {
    return require('amqplib') as typeof import('amqplib');
  } catch (cause) {
    throw new MissingPeerError('@ashlar/queue/rabbitmq', 'amqplib', 'amqplib@2', { cause });
  }
}

export const connect: typeof import('amqplib').connect = load().connect;
