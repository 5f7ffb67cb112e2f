import { ManualClock } from '@ashlar/core/testing';
import { memoryStore } from '@ashlar/store';
import {
  leading,
  type MemoryClient,
  type MemoryCluster,
  memoryCluster,
  OutcomeUnknownError,
  PositionLostError,
  ReplicaSet,
  roles,
  type Server,
  Session,
} from '../src/index.ts';
import { Model } from './model.ts';
import { type Plan, type Step, serverIds } from './plan.ts';
import { ProcessClock } from './process-clock.ts';

export interface PlayOptions {
  /** Wraps each server, so that a fault can be planted. */
  readonly wrap?: (server: Server<MemoryClient>) => Server<MemoryClient>;
}

interface Member {
  readonly set: ReplicaSet<MemoryClient>;
  readonly clock: ProcessClock;
}

const stalenessMs = 500;
/** Longer than any call may take, and than a failover with all that it waits for. */
const patienceMs = 60_000;

class Failing extends Error {}

/** A case that is played, in time that moves only when the case says so. */
export class Play {
  readonly #plan: Plan;
  readonly #wrap: NonNullable<PlayOptions['wrap']>;
  readonly #clock = new ManualClock();
  readonly #model = new Model();
  readonly #cluster: MemoryCluster;
  readonly #store: ReturnType<typeof memoryStore>;
  readonly #sessions = [undefined, new Session(), new Session()];
  readonly #members: Member[] = [];
  readonly #calls = new Map<Promise<unknown>, string>();
  readonly #dead = new Set<string>();
  readonly #stopped = new Set<string>();

  constructor(plan: Plan, { wrap = server => server }: PlayOptions) {
    this.#plan = plan;
    this.#wrap = wrap;
    this.#cluster = memoryCluster({ ids: serverIds, lagMs: plan.lagMs, clock: this.#clock });
    this.#store = memoryStore({ clock: this.#clock });
  }

  /** What breaks a promise. */
  async run(): Promise<readonly string[]> {
    for (let process = 0; process < this.#plan.processes; process++) await this.#connect();
    for (const step of this.#plan.steps) {
      await this.#step(step);
      await this.#advance(0);
    }
    await this.#calm();
    await this.#close();
    return this.#model.complaints;
  }

  async #connect(): Promise<void> {
    const clock = new ProcessClock(this.#clock);
    const authority = this.#plan.authority === 'leading' ? leading({ store: this.#store }) : roles();
    const servers = this.#cluster.servers().map(this.#wrap);
    const connecting = ReplicaSet.connect({ servers, authority, clock });
    if (!(await this.#ends(connecting))) return void this.#complain('connect: it does not end');
    this.#members.push({ set: await connecting, clock });
  }

  #member(process: number): Member {
    return this.#members[process % this.#members.length]!;
  }

  #complain(complaint: string): void {
    this.#model.complaints.push(complaint);
  }

  async #step(step: Step): Promise<void> {
    switch (step.step) {
      case 'wait':
        return this.#advance(step.ms);
      case 'pause':
        return this.#member(step.process).clock.pause();
      case 'go':
        return this.#member(step.process).clock.go();
      case 'write':
      case 'transaction':
      case 'failing':
        return this.#write(step);
      case 'read':
        return this.#read(step);
      case 'promote':
        return this.#promote(step.server);
      case 'rejoin':
        return this.#rejoin(step.server);
      case 'kill':
        this.#dead.add(step.server);
        this.#stopped.delete(step.server);
        break;
      case 'start':
        this.#dead.delete(step.server);
        break;
      case 'stop':
        if (!this.#dead.has(step.server)) this.#stopped.add(step.server);
        break;
      case 'resume':
        this.#stopped.delete(step.server);
        break;
    }
    this.#cluster[step.step](step.server);
  }

  #isRunning(server: string): boolean {
    return !this.#dead.has(server) && !this.#stopped.has(server);
  }

  async #sighting(id: string) {
    const server = this.#cluster.servers().find(each => each.id === id)!;
    return server.look(new AbortController().signal);
  }

  /** As an operator would; where the set leads, nobody else does. */
  async #promote(id: string): Promise<void> {
    if (this.#plan.authority === 'leading' || !this.#isRunning(id)) return;
    if ((await this.#sighting(id)).role === 'primary') return;
    this.#model.promoted();
    this.#cluster.promote(id);
  }

  /** Only a server that is certainly not the primary. */
  async #rejoin(id: string): Promise<void> {
    if (!this.#isRunning(id)) return;
    const own = await this.#sighting(id);
    const running = serverIds.filter(each => each !== id && this.#isRunning(each));
    const others = await Promise.all(running.map(each => this.#sighting(each)));
    const isOld = others.some(
      ({ role, position }) => role === 'primary' && position.term > own.position.term,
    );
    if (own.role !== 'primary' || !isOld) return;
    if (this.#plan.authority === 'roles' || own.isFenced) this.#cluster.rejoin(id);
  }

  #write({ step, process, session, timeoutMs }: Extract<Step, { timeoutMs: number }>): void {
    const { set } = this.#member(process);
    const written = this.#model.begin(session, step === 'write' ? 1 : 2);
    const work = async (db: MemoryClient) => {
      for (const key of written.keys) await db.set(key, '1');
      if (step === 'failing') throw new Failing();
    };
    const scope = { session: this.#sessions[session], timeoutMs };
    const call = step === 'write' ? set.write(work, scope) : set.transaction(work, scope);
    const what = `${step} ${written.keys[0]}`;
    this.#follow(
      what,
      call.then(
        () => {
          written.outcome = 'acknowledged';
          written.acknowledgedAt = this.#clock.now();
        },
        (error: unknown) => {
          const isUnknown = error instanceof OutcomeUnknownError;
          written.outcome = isUnknown ? 'unknown' : 'not executed';
          const told = (error as { readonly outcome?: unknown }).outcome;
          if (!isUnknown && told !== 'NotExecuted' && !(error instanceof Failing))
            this.#complain(`${step}: it rejects with ${error}`);
        },
      ),
    );
  }

  #read({ process, session: asked, level }: Extract<Step, { step: 'read' }>): void {
    const session = level === 'session' || level === 'monotonic' ? asked || 1 : asked;
    const { set } = this.#member(process);
    const reading = this.#model.reading(level, session, this.#clock.now(), stalenessMs);
    const consistency =
      level === 'default' ? undefined : level === 'bounded' ? { maxStalenessMs: stalenessMs } : level;
    const mustHold = this.#plan.authority === 'leading' && this.#model.hasOnlyWritten(session);
    this.#follow(
      `read ${level}`,
      set
        .read(db => db.keys(), { session: this.#sessions[session], consistency, timeoutMs: 5_000 })
        .then(
          keys => this.#model.read(`read ${level}`, reading, keys),
          (error: unknown) => {
            if (error instanceof PositionLostError) {
              if (mustHold) this.#complain(`read ${level}: what was acknowledged is told lost: ${error}`);
            } else if ((error as { readonly outcome?: unknown }).outcome !== 'NotExecuted') {
              this.#complain(`read ${level}: it rejects with ${error}`);
            }
          },
        ),
    );
  }

  #follow(what: string, call: Promise<unknown>): void {
    this.#calls.set(call, what);
    void call.then(() => this.#calls.delete(call));
  }

  async #advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    for (const { set } of this.#members) {
      const { term, primary } = set.snapshot();
      if (term !== undefined && primary !== undefined) this.#model.topology(term, primary);
    }
  }

  async #ends(work: Promise<unknown>): Promise<boolean> {
    let hasEnded = false;
    const end = () => {
      hasEnded = true;
    };
    work.then(end, end);
    const endsAt = this.#clock.now() + patienceMs;
    await this.#advance(0);
    while (!hasEnded && this.#clock.now() < endsAt) await this.#advance(100);
    return hasEnded;
  }

  /** All is well again: then every call ends, writes succeed, and what was acknowledged is there. */
  async #calm(): Promise<void> {
    for (const { clock } of this.#members) clock.go();
    for (const id of serverIds) {
      this.#cluster.start(id);
      this.#cluster.resume(id);
      this.#cluster.resumeReplay(id);
    }
    this.#dead.clear();
    this.#stopped.clear();
    if (!(await this.#ends(Promise.all(this.#calls.keys()))))
      for (const what of this.#calls.values()) this.#complain(`${what}: it does not end`);
    for (const id of serverIds) await this.#rejoin(id);
    for (const { set } of this.#members) {
      const written = this.#model.begin(0, 1);
      const writing = set.write(db => db.set(written.keys[0]!, '1'), { timeoutMs: patienceMs - 5_000 });
      if (!(await this.#ends(writing))) return this.#complain('the last write does not end');
      try {
        await writing;
        written.outcome = 'acknowledged';
      } catch (error) {
        this.#complain(`the last write: ${error}`);
        continue;
      }
      const reading = this.#model.reading('strong', 0, this.#clock.now(), 0);
      const last = set.read(db => db.keys(), { consistency: 'strong' });
      if (!(await this.#ends(last))) return this.#complain('the last read does not end');
      this.#model.read('at the end', reading, await last.catch(() => []));
    }
  }

  async #close(): Promise<void> {
    for (const { set } of this.#members)
      if (!(await this.#ends(set.close()))) this.#complain('close: it does not end');
    await this.#store.close();
    await this.#advance(1_000);
    const { sleeping } = this.#clock;
    if (sleeping > 0) this.#complain(`close: ${sleeping} timers are left`);
  }
}
