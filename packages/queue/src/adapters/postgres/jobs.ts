import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../../dead-letters.ts';
import type { GroupStats, Job } from '../../driver.ts';
import { GroupGoneError } from '../../errors.ts';
import type { Bell } from '../../transactions/bell.ts';
import { type Chunk, inChunks } from '../../transactions/chunks.ts';
import { unpacked } from './headers.ts';
import { jobSql } from './job-sql.ts';
import type { Row, Sessions } from './sessions.ts';
import type { Tables } from './tables.ts';

/** What is done with the messages of a group outside of a delivery. */
export class Jobs {
  readonly #tables: Tables;
  readonly #sessions: Sessions;
  readonly #bell: Bell;
  readonly #sql: ReturnType<typeof jobSql>;

  constructor(tables: Tables, sessions: Sessions, bell: Bell) {
    this.#tables = tables;
    this.#sessions = sessions;
    this.#bell = bell;
    this.#sql = jobSql(tables);
  }

  async inspect(
    topic: string,
    group: string,
    { limit, after }: DeadLetterPage,
  ): Promise<readonly DeadLetter[]> {
    const isPast = after !== undefined && isUnknown(after);
    const page = isPast ? [0, null] : [limit, after ?? null];
    const rows = await this.#run('inspect', topic, group, page);
    return rows.map(({ id, lane, headers, body, reason, deliveries, failures, died: diedAtMs }) => {
      const key = lane === '' ? undefined : lane.slice(1);
      return {
        id,
        topic,
        group,
        body,
        headers: unpacked(headers, { id, topic, key }),
        key,
        reason,
        deliveries,
        failures,
        diedAtMs,
      };
    });
  }

  async redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    const count = await this.#select('redrive', topic, group, selection);
    this.#bell.ring(topic);
    return count;
  }

  purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#select('purge', topic, group, selection);
  }

  async stats(topic: string, group: string): Promise<GroupStats> {
    const [row] = await this.#run('stats', topic, group, []);
    return row as unknown as GroupStats;
  }

  async pause(topic: string, group: string): Promise<void> {
    await this.#run('pause', topic, group, [true]);
  }

  async resume(topic: string, group: string): Promise<void> {
    await this.#run('pause', topic, group, [false]);
    this.#bell.ring(topic);
  }

  async find(topic: string, group: string, id: string): Promise<Job | undefined> {
    const [row] = isUnknown(id)
      ? await this.#none(topic, group)
      : await this.#run('find', topic, group, [id]);
    return row && jobOf(row);
  }

  async cancel(topic: string, group: string, id: string): Promise<boolean> {
    const rows = isUnknown(id)
      ? await this.#none(topic, group)
      : await this.#run('cancel', topic, group, [id]);
    // Its key may be free now
    if (rows.length > 0) this.#bell.ring(topic);
    return rows.length > 0;
  }

  /** Asked for each time, as numbers begin anew when tables are emptied or made again. */
  async number(topic: string, group: string): Promise<number> {
    const found = await this.findGroup(topic, group);
    if (found === undefined) throw new GroupGoneError(topic, group);
    return found;
  }

  async findGroup(topic: string, group: string): Promise<number | undefined> {
    const text = `SELECT g.grp FROM ${this.#tables.groups} g WHERE g.topic = $1::text AND g.name = $2::text`;
    const [row] = await this.#sessions.run('a look-up', 'NotExecuted', text, [topic, group]);
    return row?.['grp'];
  }

  /** No rows, of a group that is there. @throws GroupGoneError */
  async #none(topic: string, group: string): Promise<readonly Row[]> {
    await this.number(topic, group);
    return [];
  }

  async #run(
    what: keyof ReturnType<typeof jobSql>,
    topic: string,
    group: string,
    values: readonly unknown[],
  ): Promise<readonly Row[]> {
    const number = await this.number(topic, group);
    const all = [number, ...values];
    const isRead = what === 'find' || what === 'stats' || what === 'inspect';
    if (isRead) return this.#sessions.run(what, 'NotExecuted', this.#sql[what], all);
    // One that is lost on its way is not committed, so it never comes after a later one
    const { rows } = await this.#sessions.transact(what, queryable => queryable.query(this.#sql[what], all));
    return rows;
  }

  async #select(
    what: 'redrive' | 'purge',
    topic: string,
    group: string,
    { ids, limit }: DeadLetterSelection,
  ): Promise<number> {
    const chosen = ids === undefined ? null : JSON.stringify(ids.filter(id => !isUnknown(id)));
    return inChunks(`${what} of ${topic}`, limit, async (rows, began) => {
      const [chunk] = await this.#run(what, topic, group, [chosen, rows, began ?? null]);
      return chunk as unknown as Chunk;
    });
  }
}

/** No message has such an id: no text of PostgreSQL has a zero character. */
const isUnknown = (id: string) => id.includes('\0');

const names = ['waiting', 'delayed', 'active', 'dead', 'done'] as const;

function jobOf({ state, delayed, deliveries, failures, progress, result, reason }: Row): Job {
  return {
    state: state === 1 && !delayed ? 'waiting' : names[state as number]!,
    deliveries,
    failures,
    progress: progress ?? undefined,
    result: result ?? undefined,
    reason: reason ?? undefined,
  };
}
