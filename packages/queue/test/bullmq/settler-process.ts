import { setTimeout as delay } from 'node:timers/promises';
import * as six from 'bullmq';
import * as five from 'bullmq-5';
import { Redis } from 'ioredis';
import { type BullmqLibrary, bullmq } from '../../src/adapters/bullmq.ts';
import type { NackOptions } from '../../src/index.ts';

export interface SettlerSettings {
  readonly version: '5' | '6';
  readonly port: number;
  readonly prefix: string;
  readonly topic: string;
  readonly group: string;
}
/** A message was handed out. */
export interface SettlerMessage {
  readonly id: string;
}

// A consumer that defers each message as its body says, if no process was given it before, and else acknowledges it
const { version, port, prefix, topic, group } = JSON.parse(process.argv[2]!) as SettlerSettings;
const library: BullmqLibrary = { '5': five, '6': six }[version];
const redis = new Redis(port);
const driver = bullmq({ connection: { port }, prefix, library });
const { signal } = new AbortController();
for await (const delivery of driver.consume(topic, group, { prefetch: 5, signal })) {
  const { id } = delivery;
  process.send!({ id } satisfies SettlerMessage);
  const isNew = (await redis.sadd(`${prefix}-seen`, id)) === 1;
  const how = JSON.parse(Buffer.from(delivery.body).toString()) as NackOptions;
  void delay(1).then(() => (isNew ? delivery.nack(how) : delivery.ack()));
}
