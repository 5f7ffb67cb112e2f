import { ManualClock } from '@ashlar/core/testing';
import {
  type Consistency,
  leading,
  type MemoryClient,
  memoryCluster,
  OutcomeUnknownError,
  ReplicaSet,
  Session,
} from '@ashlar/replica-failover';
import { memoryStore } from '@ashlar/store';

export type Action = 'kill' | 'start' | 'stop' | 'resume' | 'pauseReplay' | 'resumeReplay' | 'rejoin';

export interface ServerView {
  readonly id: string;
  /** As the application sees it. `earlier primary`: it has not been told yet that there is another. */
  readonly role: 'primary' | 'replica' | 'earlier primary' | 'fenced';
  readonly state: 'runs' | 'dead' | 'stands still';
  readonly isReplayPaused: boolean;
  /** Where it was when it was last looked at: the term, and the place in the log up to which readers see it. */
  readonly position: string;
  /** What may be done to it now. */
  readonly actions: readonly Action[];
}

/** One read: what it saw, where, and how many acknowledged writes that misses. */
export interface ReadView {
  readonly server: string;
  readonly latest: number;
  readonly behind: number;
}

export interface LevelView {
  readonly name: string;
  readonly reads: readonly ReadView[];
  /** Since when the read that is under way waits, in milliseconds; undefined without one. */
  readonly waitsMs: number | undefined;
}

interface Level {
  readonly name: string;
  readonly consistency: Consistency;
  readonly session: Session | undefined;
  readonly reads: ReadView[];
  startedAt: number | undefined;
}

const ids = ['a', 'b', 'c'];
const lagMs = 40;
const writeEveryMs = 1_000;
const readEveryMs = 600;
const watchEveryMs = 20;
const maxStalenessMs = 3_000;
const keptReads = 4;
const keptEvents = 4;

/**
 * Two processes of an application over a memory cluster that they lead, in virtual time. One writes a number each second and
 * reads it with every level; the other only watches, as a second opinion about a primary that says nothing.
 */
export class FailoverSimulation {
  /** The latest, in order. */
  readonly events: { readonly number: number; readonly text: string }[] = [];
  /** Acknowledged writes that the primary did not have when the latest one was. */
  lost = 0;
  /** Writes whose outcome nobody can find out. */
  unknown = 0;
  /** The longest time that a write has taken, in milliseconds. */
  longestMs = 0;
  readonly #clock: ManualClock;
  readonly #cluster: ReturnType<typeof memoryCluster>;
  readonly #set: ReplicaSet<MemoryClient>;
  readonly #writer = new Session();
  readonly #levels: readonly Level[];
  readonly #states = new Map<string, ServerView['state']>();
  readonly #paused = new Set<string>();
  /** The numbers of the acknowledged writes, which only grow. */
  readonly #acknowledged: number[] = [];
  #writeStartedAt: number | undefined;
  #downAt = 0;
  #told = 0;

  private constructor(
    clock: ManualClock,
    cluster: ReturnType<typeof memoryCluster>,
    set: ReplicaSet<MemoryClient>,
  ) {
    this.#clock = clock;
    this.#cluster = cluster;
    this.#set = set;
    const level = (name: string, consistency: Consistency, session?: Session): Level => {
      return { name, consistency, session, reads: [], startedAt: undefined };
    };
    this.#levels = [
      level('strong', 'strong'),
      level('session, of who writes', 'session', this.#writer),
      level('monotonic, of a visitor', 'monotonic', new Session()),
      level(`at most ${maxStalenessMs / 1_000} s old`, { maxStalenessMs }),
      level('eventual', 'eventual'),
    ];
  }

  static async start(): Promise<FailoverSimulation> {
    const clock = new ManualClock();
    const cluster = memoryCluster({ ids, lagMs, clock });
    const store = memoryStore({ clock });
    const connect = () =>
      ReplicaSet.connect({ servers: cluster.servers(), authority: leading({ store }), clock });
    const [set] = await Promise.all([connect(), connect()]);
    const simulation = new FailoverSimulation(clock, cluster, set);
    void simulation.#write();
    void simulation.#watch();
    for (const level of simulation.#levels) void simulation.#read(level);
    return simulation;
  }

  get nowMs(): number {
    return this.#clock.now();
  }

  get servers(): ServerView[] {
    const { primary, servers } = this.#set.snapshot();
    return servers.map(({ id, isFenced, role: said, position: at }) => {
      const state = this.#states.get(id) ?? 'runs';
      const isReplayPaused = this.#paused.has(id);
      const position = at === undefined ? '' : `${at.term}.${at.offset}`;
      const past = isFenced ? 'fenced' : said === 'primary' ? 'earlier primary' : 'replica';
      const role = id === primary ? 'primary' : past;
      return { id, role, state, isReplayPaused, position, actions: this.#actions(id, role) };
    });
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  get levels(): LevelView[] {
    return this.#levels.map(({ name, reads, startedAt }) => {
      return {
        name,
        reads: [...reads],
        waitsMs: startedAt === undefined ? undefined : this.nowMs - startedAt,
      };
    });
  }

  get term(): number {
    return this.#set.snapshot().term ?? 0;
  }

  /** How long the write that is under way has taken, in milliseconds. */
  get writeWaitsMs(): number {
    return this.#writeStartedAt === undefined ? 0 : this.nowMs - this.#writeStartedAt;
  }

  async advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
  }

  act(id: string, action: Action): void {
    const view = this.servers.find(server => server.id === id);
    if (view === undefined || !view.actions.includes(action)) return;
    if ((action === 'kill' || action === 'stop') && view.role === 'primary') this.#downAt = this.nowMs;
    this.#cluster[action](id);
    if (action === 'kill') this.#states.set(id, 'dead');
    if (action === 'stop') this.#states.set(id, 'stands still');
    if (action === 'start' || action === 'resume') this.#states.delete(id);
    if (action === 'pauseReplay') this.#paused.add(id);
    if (action === 'resumeReplay') this.#paused.delete(id);
    this.#tell(toldOf[action](id));
  }

  #actions(id: string, role: ServerView['role']): Action[] {
    const state = this.#states.get(id);
    if (state === 'dead') return ['start'];
    if (state === 'stands still') return ['kill', 'resume'];
    if (role === 'fenced' || role === 'earlier primary') return ['kill', 'rejoin'];
    const replay = this.#paused.has(id) ? 'resumeReplay' : 'pauseReplay';
    return role === 'replica' ? ['kill', 'stop', replay] : ['kill', 'stop'];
  }

  async #write(): Promise<never> {
    for (let n = 1; ; n++) {
      const startedAt = this.nowMs;
      this.#writeStartedAt = startedAt;
      try {
        await this.#set.transaction(
          async db => {
            await db.set(`order:${n}`, 'taken');
            await db.set('latest', String(n));
          },
          { session: this.#writer },
        );
        this.#acknowledged.push(n);
        const tookMs = Math.round(this.nowMs - startedAt);
        this.longestMs = Math.max(this.longestMs, tookMs);
        if (tookMs > writeEveryMs / 4) this.#tell(`write ${n} waited ${tookMs} ms, and is acknowledged once`);
      } catch (error) {
        if (error instanceof OutcomeUnknownError) this.unknown++;
        this.#tell(`write ${n} failed: ${reasonOf(error)}`);
      }
      this.#writeStartedAt = undefined;
      await this.#count();
      await this.#clock.sleep(writeEveryMs);
    }
  }

  async #count(): Promise<void> {
    try {
      const there = new Set(await this.#set.read(db => db.keys('order:')));
      this.lost = this.#acknowledged.filter(n => !there.has(`order:${n}`)).length;
    } catch {
      // Without a primary nobody can count; the next write will
    }
  }

  async #read(level: Level): Promise<never> {
    const { consistency, session, name } = level;
    for (;;) {
      await this.#clock.sleep(readEveryMs);
      level.startedAt = this.nowMs;
      const { acknowledged } = this;
      try {
        const read = await this.#set.read(
          async db => ({ server: db.server, latest: Number((await db.get('latest')) ?? 0) }),
          { consistency, ...(session && { session }) },
        );
        const seen = this.#acknowledged.findLastIndex(n => n <= read.latest) + 1;
        level.reads.push({ ...read, behind: Math.max(0, acknowledged - seen) });
        if (level.reads.length > keptReads) level.reads.shift();
      } catch (error) {
        this.#tell(`a read (${name}) failed: ${reasonOf(error)}`);
      }
      level.startedAt = undefined;
    }
  }

  /** Tells what the application finds out. */
  async #watch(): Promise<never> {
    let before = this.#set.snapshot();
    for (;;) {
      await this.#clock.sleep(watchEveryMs);
      const snapshot = this.#set.snapshot();
      for (const [index, { id, state, isFenced }] of snapshot.servers.entries()) {
        const { state: was, isFenced: wasFenced } = before.servers[index]!;
        if (was === 'up' && state === 'down')
          this.#tell(`${id} does not answer: nothing is sent there any more`);
        if (isFenced && !wasFenced) this.#tell(`${id} was primary in an earlier term: it is fenced`);
      }
      if (snapshot.primary !== before.primary) {
        const afterMs = Math.round(this.nowMs - this.#downAt);
        this.#paused.delete(snapshot.primary!);
        this.#tell(`${snapshot.primary} is primary of term ${snapshot.term}, ${afterMs} ms after the fault`);
      }
      before = snapshot;
    }
  }

  #tell(text: string): void {
    this.events.push({ number: this.#told++, text });
    if (this.events.length > keptEvents) this.events.shift();
  }
}

/** What an error says first; the state of each server, which follows, is to be seen above. */
function reasonOf(error: unknown): string {
  return (error as Error).message.split(':')[0]!;
}

const toldOf: Record<Action, (id: string) => string> = {
  kill: id => `${id} dies, with what is on its way to it`,
  start: id => `${id} is started, and believes what it believed before`,
  stop: id => `${id} stands still: it answers nothing, and closes no connection`,
  resume: id => `${id} goes on where it stood still`,
  pauseReplay: id => `${id} goes on receiving, and shows its readers nothing new`,
  resumeReplay: id => `${id} shows all that it has received`,
  rejoin: id => `${id} follows the primary of today`,
};
