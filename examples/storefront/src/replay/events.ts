import type { Fleet } from '../fleet/fleet.ts';

/** What happened to the replicas on the way. */
export interface Event {
  /** `ejected` is the balancer's own finding; `forgotten`: discovery has noticed. */
  readonly type: 'killed' | 'ejected' | 'forgotten' | 'joined' | 'slow' | 'failing';
  readonly replica: string;
  /** How many requests had been sent, and how long after the first. */
  readonly request: number;
  readonly atMs: number;
  /** The replicas that run from then on. */
  readonly replicas: readonly string[];
}

/**
 * `change`: a replica is killed, discovery forgets it a good while later, and a new one joins; where there is but one
 * replica it is not killed: no other could answer. `trouble`: one replica is slow from some moment on, and another fails.
 */
export type Plot = 'change' | 'trouble';

/** Shares of the requests after which things happen. A registry learns of a death late, when a lease has run out. */
const killAt = 0.4;
const forgetAt = 0.5;
const joinAt = 0.7;
const troubleAt = 0.2;

/** Lets things happen to the replicas on the way. */
export class Events {
  readonly #fleet: Fleet;
  readonly #now: () => number;
  readonly #onEvent: (event: Event) => void;
  readonly #steps: { readonly at: number; take(): Promise<void> }[] = [];
  readonly #happened: Event[] = [];
  /** The steps taken so far, each after the one before. */
  #taken: Promise<void> = Promise.resolve();
  #startMs = 0;
  #request = 0;

  constructor(
    fleet: Fleet,
    plot: Plot,
    requests: number,
    now: () => number,
    onEvent: (event: Event) => void = () => {},
  ) {
    this.#fleet = fleet;
    this.#now = now;
    this.#onEvent = onEvent;
    const at = (share: number) => Math.floor(requests * share);
    const [, victim, another] = fleet.announced;
    if (plot === 'trouble') {
      this.#steps.push({ at: at(troubleAt), take: async () => this.#degrade(victim, 'slow') });
      this.#steps.push({ at: at(troubleAt), take: async () => this.#degrade(another, 'failing') });
    } else {
      if (victim !== undefined) {
        this.#steps.push({ at: at(killAt), take: () => this.#kill(victim) });
        this.#steps.push({ at: at(forgetAt), take: () => this.#forget(victim) });
      }
      this.#steps.push({ at: at(joinAt), take: () => this.#join() });
    }
    fleet.onNotice(notice => {
      if (notice.type === 'ejected') this.#record('ejected', notice.replica);
    });
  }

  /** Request `index` is about to be sent. */
  reached(index: number): void {
    if (index === 0) this.#startMs = this.#now();
    this.#request = index;
    for (let step = this.#steps[0]; step !== undefined && step.at <= index; step = this.#steps[0]) {
      this.#steps.shift();
      this.#taken = this.#taken.then(step.take);
      this.#taken.catch(() => {}); // finished() rejects with it.
    }
  }

  /** All that happened, once the last step is taken. Rejects when one failed. */
  async finished(): Promise<readonly Event[]> {
    await this.#taken;
    return this.#happened;
  }

  async #kill(replica: string): Promise<void> {
    const killed = this.#fleet.kill(replica);
    this.#record('killed', replica);
    await killed;
  }

  async #forget(replica: string): Promise<void> {
    await this.#fleet.forget(replica);
    this.#record('forgotten', replica);
  }

  #degrade(replica: string | undefined, condition: 'slow' | 'failing'): void {
    if (replica === undefined) return;
    this.#fleet.degrade(replica, condition);
    this.#record(condition, replica);
  }

  async #join(): Promise<void> {
    this.#record('joined', await this.#fleet.join());
  }

  #record(type: Event['type'], replica: string): void {
    const replicas = [...this.#fleet.replicaUrls.keys()];
    const event = { type, replica, request: this.#request, atMs: this.#now() - this.#startMs, replicas };
    this.#happened.push(event);
    this.#onEvent(event);
  }
}
