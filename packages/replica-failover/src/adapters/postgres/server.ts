import { abortable } from '@ashlar/core';
import { ConnectionPool } from '../../connection-pool.ts';
import type { Address, Administration, OpenOptions, Pool, Server, Sighting, TermEnd } from '../../server.ts';
import { PostgresAdministration } from './administration.ts';
import type { PgClientLike } from './client-like.ts';
import { PostgresConnection } from './connection.ts';
import {
  concernsOf,
  history,
  type LookRow,
  look,
  type PositionRow,
  settings,
  setup,
  sightingOf,
  termEndsOf,
} from './statements.ts';
import { Wire } from './wire.ts';

export interface PostgresServerSettings<C> {
  readonly id: string;
  readonly region: string | undefined;
  readonly address: Address;
  newClient(): C;
  /** How others reach a server. */
  replicationOf(id: string): string;
  /** The table of outcomes, as text of SQL. */
  readonly outcomes: string | undefined;
}

/** One server of a PostgreSQL cluster. */
export class PostgresServer<C extends PgClientLike> implements Server<C> {
  readonly id: string;
  readonly region: string | undefined;
  readonly #address: Address;
  readonly #newClient: () => C;
  /** For looks alone. */
  #watching: Wire<C> | undefined;
  /** The latest timeline that this server has been seen on since it was started. */
  #timeline: { readonly instance: string; readonly latest: number } | undefined;
  #history: { readonly of: string; readonly ends: readonly TermEnd[] | undefined } | undefined;

  readonly #replicationOf: (id: string) => string;
  readonly #outcomes: string | undefined;
  #disconnected: () => void = () => {};

  constructor(settings: PostgresServerSettings<C>) {
    this.id = settings.id;
    this.region = settings.region;
    this.#address = settings.address;
    this.#newClient = settings.newClient;
    this.#replicationOf = settings.replicationOf;
    this.#outcomes = settings.outcomes;
  }

  /** Not a field, which whoever prints the server would print. */
  get address(): Address {
    return this.#address;
  }

  async look(signal: AbortSignal): Promise<Sighting> {
    try {
      this.#watching ??= await this.#watch(signal);
      const { rows } = await abortable(this.#watching.client.query(look), signal);
      const row = this.#known(rows[0] as LookRow);
      return sightingOf(row, await this.#termEnds(row, this.#watching, signal));
    } catch (error) {
      this.#forget(error as Error);
      throw error;
    }
  }

  onDisconnect(listener: () => void): void {
    this.#disconnected = listener;
  }

  async #watch(signal: AbortSignal): Promise<Wire<C>> {
    const wire = await Wire.connect(this.#newClient(), setup, signal);
    wire.onLost(() => {
      if (this.#watching !== wire) return;
      this.#watching = undefined;
      this.#disconnected();
    });
    wire.rest();
    return wire;
  }

  open(options: OpenOptions): Pool<C> {
    return new ConnectionPool(options, async (events, signal) => {
      const wire = await Wire.connect(this.#newClient(), setup, signal);
      return new PostgresConnection(wire, events, this.#outcomes);
    });
  }

  async concerns(signal: AbortSignal): Promise<readonly string[]> {
    const wire = await Wire.connect(this.#newClient(), setup, signal);
    try {
      const { rows } = await abortable(wire.client.query(settings), signal);
      return concernsOf(rows[0]);
    } finally {
      wire.lose(new Error('the question was answered'));
    }
  }

  async administer(term: number, signal: AbortSignal): Promise<Administration> {
    const wire = await Wire.connect(this.#newClient(), setup, signal);
    const known = (row: LookRow) => this.#known(row);
    return PostgresAdministration.begin(
      { id: this.id, wire, known, replicationOf: this.#replicationOf },
      term,
      signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget(new Error('the set was closed'));
  }

  #forget(reason: Error): void {
    const watching = this.#watching;
    this.#watching = undefined;
    watching?.lose(reason);
  }

  /**
   * A standby knows its timeline from its WAL receiver. Without one it may name an earlier one, until its next restart point;
   * but it never goes back.
   */
  #known<R extends PositionRow & { readonly instance: string }>(row: R): R {
    const { instance, timeline } = row;
    const before = this.#timeline?.instance === instance ? this.#timeline.latest : 0;
    const latest = Math.max(before, timeline);
    this.#timeline = { instance, latest };
    return { ...row, timeline: latest };
  }

  /** Read once for each timeline; a server that does not let us read it is not asked again until it is started again. */
  async #termEnds(row: LookRow, wire: Wire<C>, signal: AbortSignal): Promise<readonly TermEnd[] | undefined> {
    if (row.timeline === 1) return [];
    const of = `${row.instance} ${row.timeline}`;
    if (this.#history?.of !== of) {
      const asked = wire.client.query(history(row.timeline)).then(
        ({ rows }) => (typeof rows[0].text === 'string' ? termEndsOf(rows[0].text) : undefined),
        error => {
          if (wire.lost !== undefined) throw error;
          return undefined;
        },
      );
      this.#history = { of, ends: await abortable(asked, signal) };
    }
    return this.#history.ends;
  }
}
