import type { PgClientLike } from './client-like.ts';

/** How long a statement takes before it is looked whether its server is still the primary, in milliseconds, and again after as long. */
const lookMs = 5_000;

/** A session, as its server lists it. */
export interface SessionId {
  readonly pid: number;
  readonly startedAt: string;
}

/**
 * Watches over a statement: its server may have been replaced as the primary and never answer, nor end the connection. Calls `onGone` when
 * the primary of the moment has no such session. While none can be reached, nobody has taken its place.
 */
export class Presence implements Disposable {
  readonly #newClient: () => Promise<PgClientLike>;
  readonly #of: SessionId;
  readonly #onGone: () => void;
  #timer: NodeJS.Timeout;
  #looking: PgClientLike | undefined;
  #isOver = false;

  constructor(of: SessionId, newClient: () => Promise<PgClientLike>, onGone: () => void) {
    this.#of = of;
    this.#newClient = newClient;
    this.#onGone = onGone;
    this.#timer = this.#later();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#endLook();
  }

  #later(): NodeJS.Timeout {
    return setTimeout(() => {
      // One that hangs is as one that failed
      this.#endLook();
      this.#look().catch(() => {});
      this.#timer = this.#later();
    }, lookMs);
  }

  async #look(): Promise<void> {
    const client = await this.#newClient();
    client.on('error', () => {});
    if (this.#isOver) return;
    this.#looking = client;
    try {
      await client.connect();
      const { rows } = await client.query(
        `SELECT pg_is_in_recovery() AS "isReplica", EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2::timestamptz) AS "isHere"`,
        [this.#of.pid, this.#of.startedAt],
      );
      const [{ isReplica, isHere }] = rows as [{ isReplica: boolean; isHere: boolean }];
      if (!isReplica && !isHere && !this.#isOver) this.#onGone();
    } finally {
      if (this.#looking === client) this.#endLook();
    }
  }

  #endLook(): void {
    this.#looking?.end().catch(() => {});
    this.#looking = undefined;
  }
}
