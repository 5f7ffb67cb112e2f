import { getJson, type Store, setJson, type Version, VersionConflictError } from '@ashlar/store';
import { TermPassedError } from '../errors.ts';

/** Who leads, and how far a change of that has come. One record in the store; each change of it is a compare-and-set. */
export interface TermRecord {
  readonly term: number;
  /** Of this term while `serving`; of the one before during a change. */
  readonly primary: string;
  /** `changing`: standbys are being recruited, and `candidate`, when it is there, is being promoted. */
  readonly phase: 'serving' | 'changing';
  readonly candidate?: string;
  /** The change is planned: the primary lives. */
  readonly planned?: true;
  /** Of a planned change: new writes wait, in every process. */
  readonly isHolding?: true;
  /** All servers, the primary among them. */
  readonly members: readonly string[];
  /** How many of the others must acknowledge a write. */
  readonly synchronous: number;
  /** Why writes that were acknowledged may be missing in this term, if they may. */
  readonly loss?: string;
}

export interface Noted {
  readonly record: TermRecord;
  readonly version: Version;
}

/** The record of one set. */
export class Terms {
  readonly prefix: string;
  readonly key: string;
  /** The lease of whoever changes something. */
  readonly orchestrator: string;
  readonly #store: Store;

  constructor(store: Store, set: string) {
    this.#store = store;
    // No set's prefix begins with that of another
    this.prefix = `failover:${encodeURIComponent(set)}:`;
    this.key = `${this.prefix}term`;
    this.orchestrator = `${this.prefix}orchestrator`;
  }

  async read(): Promise<Noted | undefined> {
    const entry = await getJson<TermRecord>(this.#store, this.key);
    return entry && { record: entry.value, version: entry.version };
  }

  /** @throws TermPassedError when somebody else has changed it */
  async change(before: Noted | undefined, record: TermRecord): Promise<Noted> {
    try {
      const version = await setJson(this.#store, this.key, record, {
        ifVersion: before?.version ?? 'absent',
      });
      return { record, version };
    } catch (error) {
      if (!(error instanceof VersionConflictError)) throw error;
      const now = await this.read();
      throw new TermPassedError('the store', record.term, now?.record.term ?? 0);
    }
  }
}

/** How many standbys must be recruited, so that every acknowledged write is on one of them, and none can be added. */
export function recruitsNeeded({
  members,
  synchronous,
}: Pick<TermRecord, 'members' | 'synchronous'>): number {
  return members.length - 1 - synchronous + 1;
}
