import {
  type Checked,
  durationMs,
  functionOf,
  listOf,
  objectWith,
  type RulesFor,
  readOptions,
  refused,
  required,
  withDeadline,
} from '@ashlar/core';
import type {
  Authority,
  AuthorityContext,
  SwitchoverOptions,
  SwitchoverReport,
  Topology,
} from '../authority.ts';
import { FailoverRefusedError } from '../errors.ts';

export interface PatroniOptions {
  /** Where Patroni's REST API answers: `['http://db1:8008', 'http://db2:8008']`, best each member's. */
  readonly urls: readonly string[];
  /** Sent with each request: `{ authorization: 'Basic …' }` for `switchover`, where the API asks for it. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds between two questions. Default: 500. */
  readonly intervalMs?: number | undefined;
  /** As the `fetch` of the web, for certificates of your own. Default: that of the process. */
  readonly fetch?: typeof fetch | undefined;
}

const credentialsAdvice = "`headers: { authorization: 'Basic …' }`";
const urlsAdvice = "write `['http://db1:8008', …]`";

function url(value: unknown, option: string): string {
  if (typeof value !== 'string' || !/^https?:/i.test(value) || !URL.canParse(value)) {
    throw refused(option, 'a URL of http or https', value, urlsAdvice);
  }
  const { username, password } = new URL(value);
  if (username === '' && password === '') return value;
  // `fetch` refuses such a URL, and quotes it
  throw refused(option, 'a URL without user and password', value, `write ${credentialsAdvice}`);
}

const rules = {
  urls: required(listOf(url), urlsAdvice),
  headers: objectWith<Readonly<Record<string, string>>>([], "write `{ authorization: 'Basic …' }`"),
  intervalMs: durationMs(500, { above: 0 }),
  fetch: functionOf<typeof fetch>('pass `fetch`, or one like it'),
} satisfies RulesFor<PatroniOptions>;

/** Milliseconds that the API has for an answer. */
const deadlineMs = 1_000;
/** Milliseconds that a switchover may take: Patroni waits for a member that has everything. */
const switchoverMs = 60_000;

interface Member {
  readonly name: string;
  readonly role: string;
}

/**
 * Follows Patroni: every URL is asked for the leader. It is believed when that server says itself that it is a primary,
 * and the one of the latest timeline counts: a member that is cut off repeats what it knew last. The `id`s of the servers
 * are the names of Patroni's members.
 *
 * `switchover` asks Patroni for one.
 *
 * @throws InvalidOptionError
 */
export function patroni(options: PatroniOptions): Authority {
  return new PatroniAuthority(readOptions('patroni', options, rules));
}

class PatroniAuthority implements Authority {
  readonly kind = 'patroni';
  readonly #urls: readonly string[];
  readonly #headers: Readonly<Record<string, string>>;
  readonly #intervalMs: number;
  readonly #fetch: typeof fetch;
  readonly #leaders = new Map<string, string>();
  readonly #errors = new Map<string, string>();
  #context!: AuthorityContext;
  #published: Topology | undefined;
  /** The latest of a leader; who is on an earlier one is not believed. */
  #timeline = -Infinity;
  #onPublished: (() => void) | undefined;

  constructor({ urls, headers, intervalMs, fetch }: Checked<typeof rules>) {
    this.#urls = urls.map(url => url.replace(/\/+$/, ''));
    this.#headers = headers ?? {};
    this.#intervalMs = intervalMs;
    this.#fetch = fetch ?? ((...parameters) => globalThis.fetch(...parameters));
  }

  start(context: AuthorityContext): void {
    this.#context = context;
    for (const url of this.#urls) void this.#follow(url);
    const stop = context.onSighting(() => this.#decide());
    context.signal.addEventListener('abort', stop, { once: true });
  }

  async switchover({ to, signal }: SwitchoverOptions): Promise<SwitchoverReport> {
    const before = this.#published;
    if (before === undefined) throw new FailoverRefusedError('Patroni has named no leader yet');
    const startedAt = this.#context.clock.now();
    const done = new Promise<void>(resolve => {
      this.#onPublished = resolve;
    });
    const body = JSON.stringify({ leader: before.primary, ...(to !== undefined && { candidate: to }) });
    const late = () => new FailoverRefusedError(`Patroni has made no other leader within ${switchoverMs} ms`);
    await withDeadline({ timeoutMs: switchoverMs, clock: this.#context.clock, signal, late }, async stop => {
      await this.#askForSwitchover(body, stop);
      if (this.#published === before) await done;
    });
    const { primary, term } = this.#published!;
    const pausedMs = Math.round(this.#context.clock.now() - startedAt);
    return { from: before.primary, to: primary, term, pausedMs };
  }

  /** The first member that answers does it; one that does not, has not begun. */
  async #askForSwitchover(body: string, signal: AbortSignal): Promise<void> {
    let refusal: unknown;
    for (const url of this.#urls) {
      const headers = { ...this.#headers, 'content-type': 'application/json' };
      let response: Response;
      try {
        response = await this.#fetch(`${url}/switchover`, { method: 'POST', headers, body, signal });
      } catch (error) {
        signal.throwIfAborted();
        refusal = error;
        continue;
      }
      const answer = await response.text();
      if (response.ok) return;
      throw new FailoverRefusedError(`Patroni answers ${response.status}: ${answer.slice(0, 200)}`);
    }
    throw new FailoverRefusedError('no member of Patroni answers', { cause: refusal });
  }

  async #follow(url: string): Promise<void> {
    const { clock, signal } = this.#context;
    const late = () => new Error(`${url} did not answer within ${deadlineMs} ms`);
    while (!signal.aborted) {
      try {
        const leader = await withDeadline({ timeoutMs: deadlineMs, clock, signal, late }, stop =>
          this.#leader(url, stop),
        );
        this.#errors.delete(url);
        if (leader === undefined) this.#leaders.delete(url);
        else this.#leaders.set(url, leader);
      } catch (error) {
        this.#leaders.delete(url);
        this.#errors.set(url, error instanceof Error ? error.message : String(error));
      }
      if (signal.aborted) return;
      this.#decide();
      await clock.sleep(this.#intervalMs, signal).catch(() => {});
    }
  }

  async #leader(url: string, signal: AbortSignal): Promise<string | undefined> {
    const response = await this.#fetch(`${url}/cluster`, { headers: this.#headers, signal });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${url}/cluster answers ${response.status}`);
    const { members } = JSON.parse(answer) as { readonly members: readonly Member[] };
    // A standby leader is read-only, and its cluster has no primary
    return members.find(({ role }) => role === 'leader' || role === 'master')?.name;
  }

  #decide(): void {
    const names = new Set(this.#leaders.values());
    const servers = this.#context.servers();
    const unknown = [...names].find(name => !servers.some(({ id }) => id === name));
    this.#context.warn(this.#warning(unknown));
    const named = servers.filter(({ id, sighting }) => names.has(id) && sighting?.role === 'primary');
    const timeline = Math.max(...named.map(each => each.sighting!.position.term));
    const newest = named.filter(each => each.sighting!.position.term === timeline);
    // A leader that died before anyone followed it leaves its timeline's number to the next one
    const leader = newest.find(({ id }) => id === this.#published?.primary) ?? newest[0];
    if (leader === undefined || timeline < this.#timeline) return;
    this.#timeline = timeline;
    if (leader.id === this.#published?.primary) return;
    const term = Math.max(timeline, (this.#published?.term ?? 0) + 1);
    this.#published = { term, primary: leader.id };
    this.#context.publish(this.#published);
    this.#onPublished?.();
  }

  #warning(unknown: string | undefined): string | undefined {
    if (unknown !== undefined)
      return `Patroni says that ${unknown} is the leader, and no server of the set has that id`;
    if (this.#errors.size < this.#urls.length) return undefined;
    return `Patroni does not answer: ${[...this.#errors.values()][0]}`;
  }
}
