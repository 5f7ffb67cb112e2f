export type Outcome = 'pending' | 'acknowledged' | 'not executed' | 'unknown';

/** A row, which is inserted once and deleted once at most. */
export interface Written {
  readonly tenant: number;
  readonly id: number;
  inserted: Outcome;
  removed: Outcome | undefined;
  /** It may be at a shard where nobody is routed to it, or be gone from there: somebody has asked for that. */
  isLeft?: boolean;
}

/** What a read must see, and must not, as it was when the read began. */
export interface Reading {
  readonly tenant: number;
  readonly must: readonly Written[];
  readonly mustNot: readonly Written[];
}

/** What has been told to callers, and what breaks it. */
export class Model {
  readonly complaints: string[] = [];
  readonly rows: Written[] = [];

  /** Tenants whose entries are being forgotten with their rows, each as often. */
  readonly #leaving: number[] = [];

  insert(tenant: number): Written {
    const row: Written = { tenant, id: this.rows.length, inserted: 'pending', removed: undefined };
    if (this.#leaving.includes(tenant)) row.isLeft = true;
    this.rows.push(row);
    return row;
  }

  /** The rows of a tenant may be left where they are, until the work is over, which it never is of a process that has died. */
  leave(tenant: number, work: Promise<unknown>): void {
    for (const row of this.rows) if (row.tenant === tenant) row.isLeft = true;
    this.#leaving.push(tenant);
    const over = () => void this.#leaving.splice(this.#leaving.indexOf(tenant), 1);
    work.then(over, over);
  }

  /** A row that is there for certain, to be removed. */
  removable(tenant: number): Written | undefined {
    return this.rows.find(
      row =>
        row.tenant === tenant &&
        row.inserted === 'acknowledged' &&
        row.removed === undefined &&
        row.isLeft !== true,
    );
  }

  /** @param promises whether the read promises anything of what was acknowledged before */
  reading(tenant: number, promises: boolean): Reading {
    const rows = this.rows.filter(row => row.tenant === tenant);
    return {
      tenant,
      must: promises ? rows.filter(isThere) : [],
      mustNot: promises ? rows.filter(({ removed }) => removed === 'acknowledged') : [],
    };
  }

  read(what: string, { tenant, must, mustNot }: Reading, ids: readonly number[]): void {
    const found = new Set(ids);
    if (found.size < ids.length) this.complaints.push(`${what}: it sees a row twice`);
    for (const row of must) {
      if (row.isLeft !== true && row.removed === undefined && !found.has(row.id))
        this.complaints.push(`${what}: it misses row ${row.id}, which was acknowledged before`);
    }
    for (const row of mustNot) {
      if (row.isLeft !== true && found.has(row.id))
        this.complaints.push(`${what}: it sees row ${row.id}, which was removed before`);
    }
    for (const row of this.rows) {
      if (row.tenant === tenant && row.inserted === 'not executed' && found.has(row.id))
        this.complaints.push(`${what}: it sees row ${row.id}, which was told not executed`);
    }
  }
}

function isThere({ inserted, removed }: Written): boolean {
  return inserted === 'acknowledged' && (removed === undefined || removed === 'not executed');
}
