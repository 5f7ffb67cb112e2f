import { randomUUID } from 'node:crypto';
import { refused } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import { type Driver, type OutgoingMessage, outcomeOf, type Published } from '../driver.ts';
import { Envelope, encode, versionHeader } from '../envelope.ts';
import { PublishError } from '../errors.ts';
import type { MessageTypes } from '../messages.ts';
import { topicName } from '../names.ts';
import { checkCapabilities, checkPublish, type EveryPublishOption } from './options.ts';

export interface PublishResult {
  readonly id: string;
  /** Every group had it already, or another with the key of its `deduplication`: it was dropped. */
  readonly isDuplicate?: boolean;
}

const none: EveryPublishOption = {};

/** What one call of `publishMany` sends at once, so that no batch is without bound. */
const batchSize = 1_000;

/** Turns payloads into messages and hands them to the driver. */
export class Publisher {
  readonly #queue: string;
  readonly #driver: Driver;
  readonly #types: MessageTypes;
  readonly #envelope: Envelope;

  constructor(queue: string, driver: Driver, types: MessageTypes) {
    this.#queue = queue;
    this.#driver = driver;
    this.#types = types;
    this.#envelope = new Envelope(`/${encodeURIComponent(queue)}`);
  }

  async publish(topic: string, payload: unknown, options: EveryPublishOption = none): Promise<PublishResult> {
    topicName(topic, 'topic');
    const message = await this.#message(topic, payload, options);
    const [published] = await this.#send(topic, [message], options.allowUnrouted);
    if (published?.ok !== true) throw asError(topic, message.id, published);
    return published.isDuplicate ? { id: message.id, isDuplicate: true } : { id: message.id };
  }

  async publishMany(
    topic: string,
    payloads: readonly unknown[],
    optionsOf: (payload: unknown, index: number) => EveryPublishOption,
    allowUnrouted: boolean | undefined,
  ): Promise<readonly Published[]> {
    topicName(topic, 'topic');
    if (!Array.isArray(payloads)) throw refused('payloads', 'an array of payloads', payloads);
    const messages: OutgoingMessage[] = [];
    for (const [index, payload] of payloads.entries()) {
      messages.push(await this.#message(topic, payload, optionsOf(payload, index) ?? none));
    }
    const published: Published[] = [];
    for (let start = 0; start < messages.length; start += batchSize) {
      published.push(...(await this.#send(topic, messages.slice(start, start + batchSize), allowUnrouted)));
    }
    return published;
  }

  async #message(topic: string, payload: unknown, options: EveryPublishOption): Promise<OutgoingMessage> {
    if (options !== none) {
      checkPublish(options);
      checkCapabilities(options, this.#driver.capabilities, this.#driver.kind ?? 'custom');
    }
    if (this.#types.checks) await this.#types.check(topic, payload);
    const body = encode(topic, payload);
    const { id = randomUUID(), key, delayMs, priority, expiresInMs, version, deduplication } = options;
    const headers = this.#envelope.headers(id, topic, body === payload);
    if (key !== undefined) headers['ce-partitionkey'] = key;
    if (version !== undefined) headers[versionHeader] = String(version);
    Object.assign(headers, options.headers);
    return { id, body, headers, key, delayMs, priority, expiresInMs, deduplication };
  }

  async #send(
    topic: string,
    batch: readonly OutgoingMessage[],
    allowUnrouted: boolean | undefined,
  ): Promise<readonly Published[]> {
    let published: readonly Published[];
    try {
      published = await this.#driver.publish(topic, batch, { allowUnrouted });
    } catch (error) {
      // A driver that rejects has confirmed none
      published = batch.map(() => failure(error));
    }
    this.#report(topic, batch, published);
    return published;
  }

  #report(topic: string, batch: readonly OutgoingMessage[], published: readonly Published[]): void {
    const queue = this.#queue;
    if (channels.published.hasSubscribers) {
      const count = published.filter(({ ok }) => ok).length;
      if (count > 0) channels.published.publish({ queue, topic, count });
    }
    if (!channels.publishFailed.hasSubscribers) return;
    for (const [index, each] of published.entries()) {
      if (each.ok) continue;
      const { outcome, error } = each;
      channels.publishFailed.publish({ queue, topic, id: batch[index]!.id, outcome, error });
    }
  }
}

function failure(error: unknown): Published {
  const asked = error instanceof Error ? error : new Error(String(error), { cause: error });
  return { ok: false, outcome: outcomeOf(error), error: asked };
}

/** Errors that say that nothing was published go as they are; others carry the id with which to publish again. */
function asError(topic: string, id: string, published: Published | undefined): Error {
  if (published?.ok !== false) return new PublishError(topic, id, 'Unknown');
  const { outcome, error } = published;
  const isPlain = outcome === 'NotExecuted' && (error as { code?: unknown }).code !== undefined;
  return isPlain ? error : new PublishError(topic, id, outcome, { cause: error });
}
