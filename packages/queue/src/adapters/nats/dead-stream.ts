import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../../dead-letters.ts';
import { GroupGoneError } from '../../errors.ts';
import { codes, confirmed, JetStreamError, type NatsLink } from './connection.ts';
import { deadSubject, type GroupNames, groupNames } from './names.ts';
import { parseHeaders } from './raw-headers.ts';
import type { Streams } from './streams.ts';
import { headersAgain, Stored } from './wire.ts';

interface RawMessage {
  readonly message: {
    readonly subject: string;
    readonly seq: number;
    readonly time: string;
    readonly hdrs?: string;
    readonly data?: string;
  };
}

interface Found {
  readonly sequence: number;
  readonly stored: Stored;
}

/** How many are read at once. */
const pageSize = 100;

/** The dead letters of a group, each on a subject of its own, oldest first. */
export class DeadStream {
  readonly #link: NatsLink;
  readonly #streams: Streams;
  readonly #prefix: string;

  constructor(link: NatsLink, streams: Streams, prefix: string) {
    this.#link = link;
    this.#streams = streams;
    this.#prefix = prefix;
  }

  async inspect(
    topic: string,
    group: string,
    { limit, after }: DeadLetterPage,
  ): Promise<readonly DeadLetter[]> {
    const names = await this.#names(topic, group);
    const last = after === undefined ? undefined : await this.#byId(names, after);
    const found = await this.#from(names, (last?.sequence ?? 0) + 1, limit);
    return found.map(({ stored }) => {
      const { id, key, headers, body, reason, deliveries, failures, storedAt: diedAtMs } = stored;
      return { id, topic, group, key, headers, body, reason, deliveries, failures, diedAtMs };
    });
  }

  /** Each is stored among the ready ones, and then deleted here: after a crash it may be in both. */
  async redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    const names = await this.#names(topic, group);
    return this.#each(names, selection, async ({ sequence, stored }) => {
      const { id, key, headers } = stored;
      const fresh = { id, key, headers, expiresAt: Infinity };
      const once = `${names.deadStream}:${sequence}`;
      const head = headersAgain(fresh, { once, deliveries: 0, failures: 0 });
      confirmed(await this.#link.request(names.ready, stored.body, head));
      return this.#delete(names, sequence);
    });
  }

  async purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    const names = await this.#names(topic, group);
    if (selection.ids === undefined && selection.limit === undefined) {
      const { purged } = await this.#link.api<{ readonly purged: number }>(
        `STREAM.PURGE.${names.deadStream}`,
      );
      return purged;
    }
    return this.#each(names, selection, ({ sequence }) => this.#delete(names, sequence));
  }

  async #each(
    names: GroupNames,
    { ids, limit = Infinity }: DeadLetterSelection,
    work: (found: Found) => Promise<boolean>,
  ): Promise<number> {
    let count = 0;
    if (ids !== undefined) {
      for (const id of ids) {
        if (count >= limit) break;
        const found = await this.#byId(names, id);
        if (found !== undefined && (await work(found))) count++;
      }
      return count;
    }
    for (let from = 1; count < limit; ) {
      const page = await this.#from(names, from, Math.min(pageSize, limit - count));
      if (page.length === 0) break;
      for (const done of await Promise.all(page.map(work))) if (done) count++;
      from = page.at(-1)!.sequence + 1;
    }
    return count;
  }

  /** Whether it was there. */
  async #delete({ deadStream }: GroupNames, seq: number): Promise<boolean> {
    try {
      await this.#link.api(`STREAM.MSG.DELETE.${deadStream}`, { seq, no_erase: true });
      return true;
    } catch (error) {
      // 10057: there is no such message any more
      if (
        error instanceof JetStreamError &&
        [codes.noMessage, 10_057, 10_043].includes(error.number as never)
      ) {
        return false;
      }
      throw error;
    }
  }

  async #from(names: GroupNames, from: number, limit: number): Promise<readonly Found[]> {
    const found: Found[] = [];
    for (let next = from; found.length < limit; ) {
      const one = await this.#get(names, { seq: next, next_by_subj: `${names.dead}.>` });
      if (one === undefined) break;
      found.push(one);
      next = one.sequence + 1;
    }
    return found;
  }

  #byId(names: GroupNames, id: string): Promise<Found | undefined> {
    return this.#get(names, { last_by_subj: deadSubject(names, id) });
  }

  async #get({ deadStream }: GroupNames, which: object): Promise<Found | undefined> {
    try {
      const { message } = await this.#link.api<RawMessage>(`STREAM.MSG.GET.${deadStream}`, which);
      const data = Buffer.from(message.data ?? '', 'base64');
      const fields = parseHeaders(message.hdrs);
      const stored = new Stored(fields, data, Date.parse(message.time), String(message.seq));
      return { sequence: message.seq, stored };
    } catch (error) {
      if (error instanceof JetStreamError && error.number === codes.noMessage) return undefined;
      throw error;
    }
  }

  async #names(topic: string, group: string): Promise<GroupNames> {
    const names = groupNames(this.#prefix, topic, group);
    if ((await this.#streams.info(names.deadStream)) === undefined) throw new GroupGoneError(topic, group);
    return names;
  }
}
