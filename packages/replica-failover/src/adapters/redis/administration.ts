import { sleep } from '@ashlar/core';
import { TermPassedError } from '../../errors.ts';
import type { Administration } from '../../server.ts';
import type { Position } from '../../session.ts';
import type { RedisClientLike } from './client-like.ts';
import type { RedisServerSettings } from './settings.ts';
import type { Wire } from './wire.ts';

/** Where a server notes the latest term: a user who may do nothing. It is not replicated, and outlives a restart. */
const noted = 'ashlar.term.';
/** More replicas than there are: a primary that must have so many refuses every write. */
export const fencedReplicas: number = 2 ** 31 - 1;
/** Nobody listens there. A server that follows nobody receives nothing, and stays read-only. */
const nobody = ['127.0.0.1', '1'] as const;
/** Seconds since a replica has been heard of, up to which it counts. */
const maxLagSeconds = 2;
const stepMs = 5;

/**
 * The one session that changes a server. A later term notes itself and ends the sessions of earlier ones before it does
 * anything: whoever was stopped in the middle wakes up without a connection.
 */
export class RedisAdministration<C extends RedisClientLike> implements Administration {
  readonly #settings: RedisServerSettings<C>;
  readonly #wire: Wire<C>;

  private constructor(settings: RedisServerSettings<C>, wire: Wire<C>) {
    this.#settings = settings;
    this.#wire = wire;
  }

  /** @throws TermPassedError */
  static async begin<C extends RedisClientLike>(
    settings: RedisServerSettings<C>,
    wire: Wire<C>,
    term: number,
  ): Promise<RedisAdministration<C>> {
    const administration = new RedisAdministration(settings, wire);
    try {
      await administration.#take(term);
      return administration;
    } catch (error) {
      await administration[Symbol.asyncDispose]();
      throw error;
    }
  }

  async isPrimary(): Promise<boolean> {
    const [role] = (await this.#call('ROLE')) as [string];
    return role === 'master';
  }

  async detach(): Promise<Position> {
    // The command is answered when the connection to the primary is closed: what was acknowledged is applied
    if (!(await this.isPrimary())) await this.#call('REPLICAOF', ...nobody);
    await this.#keep();
    return this.#position();
  }

  position(): Promise<Position> {
    return this.#position();
  }

  async drain(): Promise<Position> {
    // A command runs alone: none goes on when this one is answered
    await this.#call('CONFIG', 'SET', 'min-replicas-to-write', fencedReplicas);
    return this.#position();
  }

  async require(_replicas: readonly string[], count: number): Promise<void> {
    const { acknowledge, id } = this.#settings;
    if (acknowledge < count)
      throw new Error(
        `\`acknowledge\` is ${acknowledge}, and ${count} replicas must acknowledge where a set leads`,
      );
    if ((await this.#config('appendonly')) !== 'yes')
      throw new Error(`${id} has no append-only file: started again, it would empty its replicas`);
    await this.#call('CONFIG', 'SET', 'min-replicas-max-lag', maxLagSeconds);
    await this.#call('CONFIG', 'SET', 'min-replicas-to-write', count);
    await this.#keep();
  }

  async promote(signal: AbortSignal): Promise<void> {
    await this.#call('REPLICAOF', 'NO', 'ONE');
    await this.#keep();
    while (!(await this.isPrimary())) await sleep(stepMs, signal);
    await this.#position();
  }

  async follow(primary: string): Promise<void> {
    const { id, replicationOf } = this.#settings;
    if (await this.isPrimary())
      throw new Error(
        `${id} is a primary of an earlier term, and what only it has would be deleted: let it follow yourself`,
      );
    await this.#call('REPLICAOF', ...replicationOf(primary));
    await this.#keep();
  }

  async join(primary: string): Promise<void> {
    await this.#call('REPLICAOF', ...this.#settings.replicationOf(primary));
    await this.#keep();
  }

  async fence(): Promise<void> {
    await this.#call('CONFIG', 'SET', 'min-replicas-to-write', fencedReplicas);
    await this.#keep();
    for (const type of ['normal', 'pubsub'])
      await this.#call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wire.lose(new Error('the administration is over'));
  }

  async #take(term: number): Promise<void> {
    const { id } = this.#settings;
    await this.#call('ACL', 'SETUSER', `${noted}${term}`, 'off');
    await this.#call('CLIENT', 'SETNAME', `${noted}${term}`);
    const users = ((await this.#call('ACL', 'USERS')) as string[]).filter(each => each.startsWith(noted));
    const latest = Math.max(...users.map(termOf));
    // Before anybody is ended: so of two who come at once, the later one goes on
    if (latest > term) {
      await this.#call('ACL', 'DELUSER', `${noted}${term}`);
      throw new TermPassedError(id, term, latest);
    }
    for (const [client, name] of await this.#administrators()) {
      if (termOf(name) < term) await this.#call('CLIENT', 'KILL', 'ID', client);
    }
    const earlier = users.filter(each => termOf(each) < term);
    if (earlier.length > 0) await this.#call('ACL', 'DELUSER', ...earlier);
    await this.#keep();
  }

  /** The sessions that administer the server. */
  async #administrators(): Promise<readonly (readonly [id: string, name: string])[]> {
    const list = String(await this.#call('CLIENT', 'LIST'));
    return [...list.matchAll(/^id=(\d+) .*? name=(ashlar\.term\.\d+) /gm)].map(([, id, name]) => [
      id!,
      name!,
    ]);
  }

  async #position(): Promise<Position> {
    return (await this.#settings.chronicle.readAndNote(this.#wire.client, this.#settings.id)).position;
  }

  /** What was changed outlives a restart; a server without a file of configuration says so, and cannot be led. */
  async #keep(): Promise<void> {
    await this.#call('CONFIG', 'REWRITE');
  }

  #config(name: string): Promise<string | undefined> {
    return configOf(this.#wire.client, name);
  }

  #call(command: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#wire.client.call(command, ...args);
  }
}

export async function replicasToWrite(client: RedisClientLike): Promise<number> {
  return Number(await configOf(client, 'min-replicas-to-write'));
}

/** A list in one version of the protocol, a map in the other. */
async function configOf(client: RedisClientLike, name: string): Promise<string | undefined> {
  const reply = await client.call('CONFIG', 'GET', name);
  const flat = Array.isArray(reply)
    ? reply
    : reply instanceof Map
      ? [...reply].flat()
      : Object.entries(reply ?? {}).flat();
  return flat[1] as string | undefined;
}

function termOf(user: string): number {
  return Number(user.slice(noted.length));
}
