import { onAbort } from '@ashlar/core';
import { MoverClosedError } from '../../../../errors/moves.ts';
import { knownShard, unknownShards } from '../../../../moves/known-shards.ts';
import type { MoveContext, MoveSpec, Obstacle } from '../../../../moves/move-backend.ts';
import { unlessLost } from '../../../../moves/unless-lost.ts';
import type { Sides } from '../comparing/verifying.ts';
import { barrier } from '../following/following.ts';
import { directed, moveOf } from '../names.ts';
import { relationsOf } from '../relations.ts';
import type { PgClientLike } from './client-like.ts';
import { ShardSession } from './session.ts';

/** One shard, as its administrator reaches it. */
export interface AdministeredShard {
  /** Makes a client that is not connected, of a superuser, of who is the primary then. */
  readonly client: () => PgClientLike | Promise<PgClientLike>;
  /**
   * How the other shards reach the primary for replication, as a connection string of PostgreSQL: `host=db1 user=replicator dbname=shop`.
   * A function, where the primary changes: it is called whenever following begins.
   */
  readonly replication: string | (() => string | Promise<string>);
}

/** Both sides of a move in one direction, in sessions that one worker alone has. */
export interface Work extends Sides {
  readonly signal: AbortSignal;
}

/** What is done at both sides when a move ends; one that is lost is not there. */
export interface Ending {
  readonly move: MoveSpec;
  readonly source: ShardSession | undefined;
  readonly target: ShardSession | undefined;
  readonly relations: Sides['relations'];
  readonly signal: AbortSignal;
}

/** The sessions of this process, kept from step to step: a pause is too short to connect in. */
export class Workers {
  readonly #shards: Readonly<Record<string, AdministeredShard>>;
  readonly #sessions = new Map<string, Promise<ShardSession>>();
  readonly #relations = new Map<string, Sides['relations']>();
  readonly #end = new AbortController();

  constructor(shards: Readonly<Record<string, AdministeredShard>>) {
    this.#shards = shards;
  }

  /** @throws StaleMoveError */
  async begin(spec: MoveSpec, context: MoveContext): Promise<Work> {
    const move = directed(spec);
    const signal = this.#signalOf(context);
    const [source, target] = await Promise.all(
      [move.from, move.to].map(shard => this.#session(spec.id, shard, context.token, false, signal)),
    );
    const relations = await this.#relationsOf(source!, move, signal);
    const arrived = (until: AbortSignal) => barrier(source!, target!, move.id, until);
    return { move, source: source!, target: target!, relations, arrived, signal };
  }

  /** For what is done at the source, whatever the target does. @throws StaleMoveError */
  async atSource(spec: MoveSpec, context: MoveContext): Promise<Pick<Work, 'move' | 'source' | 'signal'>> {
    const move = directed(spec);
    const signal = this.#signalOf(context);
    return { move, source: await this.#session(spec.id, move.from, context.token, false, signal), signal };
  }

  /**
   * For `finish` and `unfollow`, and, where it opens the source first of all, for `abort`, which ends the move for all others.
   *
   * @throws ShardFailedError of a side that does not answer and is not lost; StaleMoveError
   */
  async end(
    spec: MoveSpec,
    context: MoveContext,
    opens?: (source: ShardSession, move: MoveSpec, signal: AbortSignal) => Promise<unknown>,
  ): Promise<Ending> {
    const move = directed(spec);
    const signal = this.#signalOf(context);
    const at = (shard: string) =>
      unlessLost(shard, { ...context, signal }, until =>
        this.#session(spec.id, shard, context.token, opens !== undefined, until),
      );
    const source = await at(move.from);
    if (source !== undefined) await opens?.(source, move, signal);
    const target = await at(move.to);
    const any = source ?? target;
    const relations = any === undefined ? [] : await this.#relationsOf(any, move, signal);
    return { move, source, target, relations, signal };
  }

  /** A session for looking, and for nothing else. `close` ends it. @throws MoverClosedError */
  async look<T>(shard: string, signal: AbortSignal, work: (session: ShardSession) => Promise<T>): Promise<T> {
    const until = AbortSignal.any([signal, this.#end.signal]);
    until.throwIfAborted();
    const session = await ShardSession.look(shard, await this.#client(shard), until);
    const unlink = onAbort(this.#end.signal, reason => session.end(reason as Error));
    try {
      return await work(session);
    } finally {
      unlink();
      session.end();
    }
  }

  #signalOf(context: MoveContext): AbortSignal {
    const signal = AbortSignal.any([context.signal, this.#end.signal]);
    signal.throwIfAborted();
    return signal;
  }

  /** Nothing may change the tables while their rows move. */
  async #relationsOf(
    session: ShardSession,
    move: MoveSpec,
    signal: AbortSignal,
  ): Promise<Sides['relations']> {
    const relations = this.#relations.get(move.id) ?? (await relationsOf(session, move, signal));
    this.#relations.set(move.id, relations);
    return relations;
  }

  async replicationOf(shard: string): Promise<string> {
    const { replication } = knownShard(this.#shards, shard);
    return typeof replication === 'string' ? replication : replication();
  }

  /** Their names. */
  get shards(): readonly string[] {
    return Object.keys(this.#shards);
  }

  /** Those of a move that are none of them. */
  unknown(move: MoveSpec): Obstacle[] {
    return unknownShards(move, this.#shards);
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** The move is over. */
  forget(move: MoveSpec): void {
    this.#relations.delete(move.id);
    for (const [name, session] of this.#sessions) {
      if (!name.startsWith(`${moveOf(move.id)} `)) continue;
      this.#sessions.delete(name);
      session.then(
        each => each.end(),
        () => {},
      );
    }
  }

  async close(): Promise<void> {
    this.#end.abort(new MoverClosedError('what moves rows between shards of PostgreSQL'));
    for (const session of await Promise.allSettled(this.#sessions.values())) {
      if (session.status === 'fulfilled') session.value.end();
    }
    this.#sessions.clear();
  }

  async #session(
    id: string,
    shard: string,
    token: bigint,
    aborts: boolean,
    signal: AbortSignal,
  ): Promise<ShardSession> {
    const name = `${id} ${shard} ${token} ${aborts}`;
    const known = await this.#sessions.get(name)?.catch(() => undefined);
    if (known !== undefined && known.lost === undefined) return known;
    const begun = ShardSession.begin(shard, () => this.#client(shard), { id, token, aborts }, signal);
    this.#sessions.set(name, begun);
    begun.catch(() => this.#sessions.delete(name));
    return begun;
  }

  async #client(shard: string): Promise<PgClientLike> {
    return knownShard(this.#shards, shard).client();
  }
}
