import { type Entry, follow, fromJson } from '@ashlar/store';
import type {
  Authority,
  AuthorityContext,
  MembershipChange,
  MembershipReport,
  Observed,
  SwitchoverOptions,
  SwitchoverReport,
} from '../authority.ts';
import { FailoverRefusedError, NoPrimaryError, TermPassedError } from '../errors.ts';
import { Drains } from './changes/drains.ts';
import { Failover } from './changes/failover.ts';
import { Membership } from './changes/membership.ts';
import { Rejoins } from './changes/rejoins.ts';
import type { Steps } from './changes/steps.ts';
import { Switchover } from './changes/switchover.ts';
import { Turns } from './changes/turns.ts';
import { Concerns } from './concerns.ts';
import { firstRecord, isLeft, Untidy } from './judgement.ts';
import { Observers } from './observers.ts';
import type { LeadingSettings } from './options.ts';
import { type Noted, type TermRecord, Terms } from './record.ts';
import type { LeadingSnapshot } from './snapshot.ts';
import { Standbys } from './standbys.ts';

/** Milliseconds between two attempts to lead that failed. */
const pauseMs = 500;

/** One process of a set that leads. */
export class Leader implements Authority {
  readonly kind = 'leading';
  readonly #settings: LeadingSettings;
  #context!: AuthorityContext;
  #terms!: Terms;
  #observers!: Observers;
  #drains!: Drains;
  #rejoins!: Rejoins;
  #turns!: Turns;
  #concerns!: Concerns;
  #standbys!: Standbys;
  #noted: Noted | undefined;
  #hasRead = false;
  #entries: ReadonlyMap<string, Entry> = new Map();
  /** The term of the planned change of another process that this one has said it knows of. */
  #announcedFor: number | undefined;
  /** The one for which writes wait. */
  #heldFor: number | undefined;
  /** Whether this process makes one itself. */
  #isSwitching = false;
  #pauseUntil = -Infinity;
  readonly #warnings = new Map<string, string>();
  readonly #untidy = new Untidy();

  constructor(settings: LeadingSettings) {
    this.#settings = settings;
  }

  start(context: AuthorityContext): void {
    const { store } = this.#settings;
    this.#context = context;
    this.#terms = new Terms(store, context.set);
    const process = globalThis.crypto.randomUUID();
    this.#observers = new Observers(store, this.#terms.prefix, process);
    this.#drains = new Drains(store, this.#terms.prefix, process, () => this.#entries);
    this.#rejoins = new Rejoins(context, store, this.#terms.prefix, this.#settings.members);
    this.#turns = new Turns(context, this.#terms, store, {
      recruitMs: this.#settings.recruitMs,
      isQuarantined: id => this.#rejoins.notes.has(id),
    });
    this.#concerns = new Concerns(context, (id, concern) => this.#warn(`server ${id}`, concern));
    this.#standbys = new Standbys(context, lack => this.#warn('standbys', lack));
    const stop = context.onSighting(() => this.#consider());
    context.signal.addEventListener('abort', stop, { once: true });
    void this.#read();
  }

  /** Follows the record and the reports in the store, for as long as the set lives. */
  async #read(): Promise<void> {
    const { signal, clock } = this.#context;
    while (!signal.aborted) {
      try {
        for await (const entries of follow(this.#settings.store, this.#terms.prefix, { signal })) {
          this.#entries = entries;
          this.#rejoins.learn(entries);
          this.#hasRead = true;
          this.#warn('store', undefined);
          const entry = entries.get(this.#terms.key);
          if (entry !== undefined)
            this.#learn({ record: fromJson<TermRecord>(entry).value, version: entry.version });
          this.#consider();
        }
      } catch (error) {
        // Who is primary stays as it is known; nobody is promoted without the store
        this.#warn('store', `the store of the term cannot be read: ${messageOf(error)}`);
        await clock.sleep(pauseMs, signal).catch(() => {});
      }
    }
  }

  #learn(noted: Noted): void {
    const known = this.#noted?.record;
    if (known !== undefined && noted.record.term < known.term) return;
    // What was read before the end of a change may come after it
    if (noted.record.term === known?.term && known.phase === 'serving' && noted.record.phase === 'changing')
      return;
    this.#noted = noted;
    const { record } = noted;
    if (record.phase === 'serving') this.#context.publish({ term: record.term, primary: record.primary });
    this.#hold(record);
  }

  /** Lets writes wait while a planned change goes on, whoever makes it. */
  #hold({ term, phase, planned, isHolding }: TermRecord): void {
    if (phase === 'serving') {
      this.#context.resumeWrites('switchover');
      return;
    }
    if (!planned || this.#isSwitching) return;
    // Who cannot say that writes go on here has them fenced
    if (this.#announcedFor !== term) {
      this.#announcedFor = term;
      void this.#drains.announce(term).catch(() => {});
    }
    if (!isHolding || this.#heldFor === term) return;
    this.#heldFor = term;
    const lacks = () => new NoPrimaryError(`${this.#context.set} hands over to another primary`);
    void this.#drains.report(term, this.#context.holdWrites('switchover', lacks)).catch(() => {});
  }

  async switchover({ to, signal }: SwitchoverOptions): Promise<SwitchoverReport> {
    const { clock } = this.#context;
    return this.#change(signal, 3 * this.#settings.drainMs, async (noted, steps, within) => {
      const switchover = new Switchover(this.#context, steps, this.#drains, this.#rejoins, this.#settings);
      this.#isSwitching = true;
      try {
        const { noted: now, heldAt, stepsMs, hasJoined } = await switchover.run(noted, to, within);
        this.#learn(now);
        const { term, primary } = now.record;
        const from = noted.record.primary;
        const before = hasJoined || this.#rejoins.canRewind(from) ? 'rejoins' : 'fenced';
        return { from, to: primary, term, pausedMs: Math.round(clock.now() - heldAt), stepsMs, before };
      } finally {
        this.#isSwitching = false;
      }
    });
  }

  changeMembers({ signal, ...change }: MembershipChange): Promise<MembershipReport> {
    return this.#change(signal, 0, async (noted, steps) => {
      const now = await new Membership(this.#context, steps).run(noted, change);
      this.#learn(now);
      const { term, members, synchronous } = now.record;
      return { term, members, synchronous };
    });
  }

  /** What an operator wants changed, from what is noted now. */
  async #change<T>(
    signal: AbortSignal | undefined,
    moreMs: number,
    work: (noted: Noted, steps: Steps, within: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const within = AbortSignal.any([this.#context.signal, ...(signal ? [signal] : [])]);
    try {
      return await this.#turns.take(within, moreMs, async steps => {
        const noted = await this.#terms.read();
        if (noted?.record.phase !== 'serving')
          throw new FailoverRefusedError('another change of the primary goes on');
        return work(noted, steps, within);
      });
    } finally {
      const now = await this.#terms.read().catch(() => undefined);
      if (now !== undefined) this.#learn(now);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#turns.idle(), this.#rejoins.idle()]);
  }

  snapshot(): LeadingSnapshot {
    const record = this.#noted?.record;
    return {
      phase: record?.phase ?? 'starting',
      members: record?.members ?? [],
      synchronous: record?.synchronous,
      loss: record?.loss,
      notes: Object.fromEntries(this.#rejoins.notes),
      warnings: [...this.#warnings.values()],
    };
  }

  /** Tells an operator one thing of each kind, until it is over. */
  #warn(kind: string, warning: string | undefined): void {
    if (warning === undefined) this.#warnings.delete(kind);
    else this.#warnings.set(kind, warning);
    this.#context.warn([...this.#warnings.values()].join('; ') || undefined);
  }

  /** Runs after each look and each change in the store. */
  #consider(): void {
    const { clock, signal } = this.#context;
    if (signal.aborted) return;
    this.#look();
    if (this.#turns.isTaken || !this.#hasRead || clock.now() < this.#pauseUntil) return;
    const act = this.#whatToDo();
    if (act !== undefined) void this.#act(act);
  }

  /** What an operator should know of the servers, and whether writes could be acknowledged at all. */
  #look(): void {
    const servers = this.#context.servers();
    const record = this.#noted?.record;
    this.#concerns.consider(servers);
    for (const { id } of servers) {
      const note = this.#rejoins.notes.get(id);
      const isOver = note?.state !== 'quarantined';
      this.#warn(`note ${id}`, isOver ? undefined : `${id} is in quarantine: ${note.why}`);
    }
    if (record === undefined) return;
    this.#warn('members', membersDiffer(servers, record));
    this.#standbys.consider(servers, record);
  }

  #whatToDo(): ((failover: Failover) => Promise<Noted | undefined>) | undefined {
    const servers = this.#context.servers();
    const noted = this.#noted;
    if (noted === undefined) {
      const record = firstRecord(servers, this.#settings.synchronous);
      return record && (failover => failover.begin(record));
    }
    const { record } = noted;
    if (record.phase === 'changing') return failover => failover.finish(noted);
    const primary = servers.find(each => each.id === record.primary);
    if (primary?.state === 'down') {
      void this.#observers.report(record, this.#context.clock.now()).catch(() => {});
      if (!this.#isDead(primary, record)) return undefined;
      return failover => failover.run(noted);
    }
    this.#rejoins.consider(record);
    const ours = servers.filter(({ id }) => record.members.includes(id) && !this.#rejoins.notes.has(id));
    const away = this.#untidy.find(ours, record, this.#context.clock.now());
    if (away.length === 0) return undefined;
    return async failover => {
      await failover.tidy(noted, away);
      this.#untidy.forget(away);
      return undefined;
    };
  }

  /** Whether somebody else has found so too, for long enough. */
  #isDead({ downSince = Infinity, isSilent }: Observed, record: TermRecord): boolean {
    const { alone, silentMs, refusedMs } = this.#settings;
    const now = this.#context.clock.now();
    if (now - downSince < (isSilent ? silentMs : refusedMs)) return false;
    if (alone || this.#observers.others(record, this.#entries) > 0) return true;
    return isLeft(this.#context.servers(), record);
  }

  async #act(act: (failover: Failover) => Promise<Noted | undefined>): Promise<void> {
    const { allowLoss, regions } = this.#settings;
    const { clock } = this.#context;
    try {
      let isOurs = false;
      const noted = await this.#turns.tryTake(steps => {
        isOurs = true;
        return act(new Failover(this.#context, steps, { allowLoss, regions }));
      });
      if (noted !== undefined) this.#learn(noted);
      if (isOurs) this.#warn('act', undefined);
      else this.#pauseUntil = clock.now() + pauseMs / 10;
    } catch (error) {
      // Who has been overtaken learns the rest from the store
      if (!(error instanceof TermPassedError))
        this.#warn('act', `no primary could be made: ${messageOf(error)}`);
      if (error instanceof FailoverRefusedError)
        this.#noted = await this.#terms.read().catch(() => this.#noted);
      this.#pauseUntil = clock.now() + pauseMs;
    }
  }
}

/** What the servers of this set and the members of the record do not have in common. */
function membersDiffer(servers: readonly Observed[], { members }: TermRecord): string | undefined {
  const more = servers.map(({ id }) => id).filter(id => !members.includes(id));
  const less = members.filter(id => !servers.some(each => each.id === id));
  if (more.length + less.length === 0) return undefined;
  const parts = [
    more.length > 0 && `${more.join(', ')} of this set is no member, and acknowledges nothing`,
    less.length > 0 && `the member ${less.join(', ')} is not in this set`,
  ];
  return `${parts.filter(Boolean).join('; ')}: see \`changeMembers\``;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
