import { randomUUID } from 'node:crypto';
import { type Channel, connect } from 'amqplib';
import { onTestFinished } from 'vitest';
import { type RabbitmqCapabilities, type RabbitmqOptions, rabbitmq } from '../../../src/adapters/rabbitmq.ts';
import { group, topic } from '../../../src/conformance/subject.ts';
import type { Driver } from '../../../src/index.ts';

/** A driver with a group of its own, until the test has ended. */
export async function declared(
  url: string,
  options: Partial<RabbitmqOptions> = {},
): Promise<{ readonly driver: Driver<RabbitmqCapabilities>; readonly prefix: string }> {
  const prefix = randomUUID();
  const driver = rabbitmq({ url, prefix, timeoutMs: 20_000, ...options });
  onTestFinished(() => driver[Symbol.asyncDispose]());
  await driver.declare(topic, group);
  return { driver, prefix };
}

/** What other programs and operators do, on a connection of their own. */
export async function asAdmin(url: string, work: (channel: Channel) => Promise<unknown>): Promise<void> {
  const connection = await connect(url);
  try {
    await work(await connection.createChannel());
  } finally {
    await connection.close();
  }
}
