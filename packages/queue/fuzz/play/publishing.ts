import { type OutgoingMessage, UnroutedError } from '../../src/index.ts';
import type { MessageSpec } from '../plan/plan.ts';
import { type Case, topic } from './case.ts';

/** The steps of a case that publish. */
export class Publishing {
  readonly sent: OutgoingMessage[] = [];
  readonly #case: Case;
  /** Ids of which an attempt to publish has ended. */
  readonly #old = new Set<string>();

  constructor(played: Case) {
    this.#case = played;
  }

  async publish(process: number, specs: readonly MessageSpec[]): Promise<void> {
    const batch = specs.map(spec => this.#message(spec));
    const groups = [...this.#case.groups.values()];
    const known = groups.map(group => new Set(group.messages.keys()));
    for (const message of batch) {
      const sequence = this.#case.sequence++;
      for (const group of groups) group.publishing(message, sequence);
    }
    const result = await this.#case.call('publish', this.#case.driver(process).publish(topic, batch));
    for (const [index, { id }] of batch.entries()) {
      const published = result?.value[index];
      if (groups.length === 0) {
        if (published?.ok)
          this.#case.complaints.push('publish: a message that no group receives was confirmed');
        continue;
      }
      // Whoever deletes a group declares it again, so that there is one whenever something is published
      if (published?.ok === false && published.error instanceof UnroutedError) {
        this.#case.complaints.push(`publish: there are groups, and it failed with ${published.error}`);
      } else if (published?.ok === false && !this.#case.isDisturbed) {
        this.#case.complaints.push(`publish: it was refused without a reason: ${published.error}`);
      }
      for (const [each, group] of groups.entries()) {
        // A group that was declared after its first publishing need not have it
        if (known[each]!.has(id) && published?.ok) group.publishedAgain(id);
        if (known[each]!.has(id) || this.#old.has(id)) continue;
        const outcome = published?.ok
          ? 'confirmed'
          : published?.outcome === 'NotExecuted'
            ? 'refused'
            : 'unknown';
        if (group.messages.has(id)) group.published(id, outcome, this.#case.sequence);
      }
    }
    for (const { id } of batch) this.#old.add(id);
  }

  /** One without anything special. Returns whether it is confirmed. */
  async last(process: number): Promise<boolean> {
    const message = this.#message({ bytes: 1 });
    const sequence = this.#case.sequence++;
    const groups = [...this.#case.groups.values()];
    for (const group of groups) group.publishing(message, sequence);
    const result = await this.#case.call('publish', this.#case.driver(process).publish(topic, [message]));
    const isConfirmed = result?.value[0]?.ok === true;
    for (const group of groups) {
      group.published(message.id, isConfirmed ? 'confirmed' : 'unknown', this.#case.sequence);
    }
    return isConfirmed;
  }

  #message({ again, id, bytes, key, delayMs, priority, expiresInMs }: MessageSpec): OutgoingMessage {
    const old = again === undefined ? undefined : this.sent[again % Math.max(1, this.sent.length)];
    if (old !== undefined) return old;
    const index = this.sent.length;
    const same = id !== undefined ? this.sent.find(each => each.id === id) : undefined;
    if (same !== undefined && this.#case.site.capabilities.uniqueIds) return same;
    const message = {
      id: id === undefined || same !== undefined ? `message ${index}` : id,
      body: new Uint8Array(bytes).fill(index % 256),
      headers: { 'ce-type': topic, traceparent: `trace ${index}` },
      ...(key !== undefined && { key }),
      ...(delayMs !== undefined && { delayMs }),
      ...(priority !== undefined && { priority }),
      ...(expiresInMs !== undefined && { expiresInMs }),
    };
    this.sent.push(message);
    return message;
  }
}
