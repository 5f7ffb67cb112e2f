import { createRequire } from 'node:module';
import { MissingPeerError } from '@ashlar/core';

/** `#amqplib` in Node, which names the command that installs amqplib. Bundlers resolve it to amqplib itself. */
function load(): typeof import('amqplib') {
  try {
    return createRequire(import.meta.url)('amqplib') as typeof import('amqplib');
  } catch (cause) {
    throw new MissingPeerError('@ashlar/queue/rabbitmq', 'amqplib', 'amqplib@2', { cause });
  }
}

export const connect: typeof import('amqplib').connect = load().connect;
