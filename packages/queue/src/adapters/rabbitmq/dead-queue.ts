import type { Channel, GetMessage } from 'amqplib';
import { type Stored, storedOf } from './wire.ts';

/**
 * Takes the dead letters out one by one, oldest first, until `visit` says `stop`. What it did not `take` is where it was
 * when the channel ends: a classic queue puts back what was not acknowledged in its old place.
 */
export async function walk(
  channel: Channel,
  queue: string,
  visit: (letter: Stored) => Promise<'take' | 'keep' | 'stop'> | 'take' | 'keep' | 'stop',
): Promise<void> {
  try {
    const { messageCount } = await channel.checkQueue(queue);
    for (let index = 0; index < messageCount; index++) {
      const message: GetMessage | false = await channel.get(queue);
      if (message === false) return;
      const verdict = await visit(storedOf(message));
      if (verdict === 'take') channel.ack(message);
      if (verdict === 'stop') return;
    }
  } finally {
    await channel.close().catch(() => {}); // RabbitMQ has closed it, and the error says why
  }
}
