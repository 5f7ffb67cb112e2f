import { AshlarError, refused } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import {
  type Driver,
  type OutgoingMessage,
  outcomeOf,
  type Published,
  type PublishSettings,
} from '../driver.ts';
import { InvalidPayloadError, PublishError } from '../errors.ts';
import { Envelope, encode, versionHeader } from '../messages/envelope.ts';
import type { MessageTypes } from '../messages/messages.ts';
import { topicName } from '../names.ts';
import { checkCapabilities, checkPublish, type EveryPublishOption } from './options.ts';

export interface PublishResult {
  readonly id: string;
  /** Every group had it already, or another with the key of its `deduplication`: it was dropped. */
  readonly isDuplicate?: boolean;
}

/** What `publishMany` asks for the options of each. */
export type OptionsOf = (payload: unknown, index: number) => EveryPublishOption | undefined;

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
    if (options !== none) this.#checkOptions(options);
    if (this.#types.checks) await this.#types.check(topic, payload);
    const message = this.#message(topic, payload, options);
    const { allowUnrouted, tx } = options;
    const [published] = await this.#send(topic, [message], { allowUnrouted, tx });
    if (published?.ok !== true) throw asError(topic, message.id, published);
    return published.isDuplicate ? { id: message.id, isDuplicate: true } : { id: message.id };
  }

  /** @param given for all of them, or made for each */
  async publishMany(
    topic: string,
    payloads: readonly unknown[],
    given: EveryPublishOption | OptionsOf,
  ): Promise<readonly Published[]> {
    topicName(topic, 'topic');
    if (!Array.isArray(payloads)) throw refused('payloads', 'an array of payloads', payloads);
    const messages: OutgoingMessage[] = [];
    const optionsOf = typeof given === 'function' ? given : undefined;
    const shared = typeof given === 'function' ? none : given;
    if (optionsOf === undefined && payloads.length > 0) this.#checkOptions(shared);
    let { allowUnrouted, tx } = shared;
    for (const [index, payload] of payloads.entries()) {
      const made = optionsOf?.(payload, index);
      const options = optionsOf === undefined ? shared : made === undefined ? none : made;
      if (optionsOf !== undefined) {
        if (options !== none) this.#checkOptions(options);
        if (index === 0) ({ allowUnrouted, tx } = options);
        else checkShared(options, { allowUnrouted, tx });
      }
      try {
        if (this.#types.checks) await this.#types.check(topic, payload);
        messages.push(this.#message(topic, payload, options));
      } catch (error) {
        throw error instanceof InvalidPayloadError ? error.at(`payloads[${index}]`) : error;
      }
    }
    const published: Published[] = [];
    const settings = { allowUnrouted, tx };
    for (let start = 0; start < messages.length; start += batchSize) {
      published.push(...(await this.#send(topic, messages.slice(start, start + batchSize), settings)));
    }
    const failed = published.findIndex(({ ok }) => !ok);
    // A failed statement fails its transaction, which would be rolled back at its commit without an error
    if (tx !== undefined && failed !== -1) throw asError(topic, messages[failed]!.id, published[failed]);
    return published;
  }

  #checkOptions(options: EveryPublishOption): void {
    checkPublish(options);
    checkCapabilities(options, this.#driver.capabilities, this.#driver.kind ?? 'custom');
  }

  #message(topic: string, payload: unknown, options: EveryPublishOption): OutgoingMessage {
    const body = encode(topic, payload);
    const { id = newId(), key, delayMs, priority, expiresInMs, version, deduplication } = options;
    const headers = this.#envelope.headers(id, topic, body === payload);
    if (key !== undefined) headers['ce-partitionkey'] = key;
    if (version !== undefined) headers[versionHeader] = String(version);
    if (options.headers !== undefined) Object.assign(headers, options.headers);
    return { id, body, headers, key, delayMs, priority, expiresInMs, deduplication };
  }

  async #send(
    topic: string,
    batch: readonly OutgoingMessage[],
    settings: PublishSettings,
  ): Promise<readonly Published[]> {
    let published: readonly Published[];
    try {
      published = await this.#driver.publish(topic, batch, settings);
    } catch (error) {
      // A driver that rejects has confirmed none
      published = batch.map(() => failure(error));
    }
    this.#report(topic, batch, published, settings.tx === undefined);
    return published;
  }

  /** @param isFinal whether what succeeded is published, and not only will be if a transaction commits */
  #report(
    topic: string,
    batch: readonly OutgoingMessage[],
    published: readonly Published[],
    isFinal: boolean,
  ): void {
    const queue = this.#queue;
    if (isFinal && channels.published.hasSubscribers) {
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

/** What a driver is told of a batch as a whole. @throws InvalidOptionError */
function checkShared(options: EveryPublishOption, first: Record<'allowUnrouted' | 'tx', unknown>): void {
  for (const name of ['allowUnrouted', 'tx'] as const) {
    if (options[name] === first[name]) continue;
    throw refused(name, 'the same for all messages of a batch', options[name]);
  }
}

/** As one flat string: that of `randomUUID` is a rope of its digits, which takes five times the memory where it is kept. */
function newId(): string {
  return crypto.randomUUID().toLowerCase();
}

function failure(error: unknown): Published {
  const asked = error instanceof Error ? error : new Error(String(error), { cause: error });
  return { ok: false, outcome: outcomeOf(error), error: asked };
}

/** Errors that say that nothing was published go as they are; others carry the id with which to publish again. */
function asError(topic: string, id: string, published: Published | undefined): Error {
  if (published?.ok !== false) return new PublishError(topic, id, 'Unknown');
  const { outcome, error } = published;
  const isPlain = outcome === 'NotExecuted' && error instanceof AshlarError;
  return isPlain ? error : new PublishError(topic, id, outcome, { cause: error });
}
