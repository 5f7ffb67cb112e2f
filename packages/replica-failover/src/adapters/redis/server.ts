import { abortable } from '@ashlar/core';
import { ConnectionPool } from '../../connection-pool.ts';
import type { Address, Administration, OpenOptions, Pool, Server, Sighting } from '../../server.ts';
import { fencedReplicas, RedisAdministration, replicasToWrite } from './administration.ts';
import type { RedisClientLike } from './client-like.ts';
import { RedisConnection } from './connection.ts';
import { endsOf } from './history.ts';
import { isReply } from './replies.ts';
import type { RedisServerSettings } from './settings.ts';
import { Wire } from './wire.ts';

/** One Redis, primary or replica. */
export class RedisServer<C extends RedisClientLike> implements Server<C> {
  readonly id: string;
  readonly region: string | undefined;
  readonly #settings: RedisServerSettings<C>;
  /** For looks alone. */
  #watching: Wire<C> | undefined;
  /** A user who may not see the configuration is not asked again on the same connection. */
  #maySeeConfig = true;
  #disconnected: () => void = () => {};

  constructor(settings: RedisServerSettings<C>) {
    this.#settings = settings;
    this.id = settings.id;
    this.region = settings.region;
  }

  /** Not a field, which whoever prints the server would print. */
  get address(): Address {
    return this.#settings.address;
  }

  async look(signal: AbortSignal): Promise<Sighting> {
    try {
      this.#watching ??= await this.#connect(signal);
      return await abortable(this.#look(this.#watching.client), signal);
    } catch (error) {
      this.#forget(error as Error);
      throw error;
    }
  }

  onDisconnect(listener: () => void): void {
    this.#disconnected = listener;
  }

  open(options: OpenOptions): Pool<C> {
    const { newClient, chronicle, acknowledge } = this.#settings;
    return new ConnectionPool(options, async (events, signal) => {
      const wire = await Wire.connect(newClient(), signal);
      return new RedisConnection(wire, chronicle, acknowledge, events);
    });
  }

  async administer(term: number, signal: AbortSignal): Promise<Administration> {
    const wire = await Wire.connect(this.#settings.newClient(), signal);
    return RedisAdministration.begin(this.#settings, wire, term);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget(new Error('the set was closed'));
  }

  #forget(reason: Error): void {
    const watching = this.#watching;
    this.#watching = undefined;
    watching?.lose(reason);
  }

  async #look(client: C): Promise<Sighting> {
    const [{ replication, position, instance, history, cluster }, isFenced] = await Promise.all([
      this.#settings.chronicle.readAndNote(client, this.id),
      this.#isFenced(client),
    ]);
    const { role, isReceiving, acknowledging } = replication;
    if (role === 'replica' && history === undefined && !isReceiving)
      throw new Error('it follows nobody, and has no copy of the data of a primary');
    const termEnds = history && endsOf(history);
    const place = { position, instance, termEnds, cluster };
    return role === 'primary' ? { role, ...place, isFenced, acknowledging } : { role, ...place, isReceiving };
  }

  async #connect(signal: AbortSignal): Promise<Wire<C>> {
    this.#maySeeConfig = true;
    const wire = await Wire.connect(this.#settings.newClient(), signal);
    wire.onLost(() => {
      if (this.#watching !== wire) return;
      this.#watching = undefined;
      this.#disconnected();
    });
    wire.rest();
    return wire;
  }

  async #isFenced(client: C): Promise<boolean | undefined> {
    if (!this.#maySeeConfig) return undefined;
    try {
      return (await replicasToWrite(client)) === fencedReplicas;
    } catch (error) {
      if (!isReply(error)) throw error;
      this.#maySeeConfig = false;
      return undefined;
    }
  }
}
