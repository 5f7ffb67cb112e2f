import type { Screen } from '@workspace/program';
import type { Tally } from '../load/tally.ts';
import type { Event } from '../replay/events.ts';
import type { Outage } from '../replay/tier-watch.ts';
import { count, milliseconds, percent } from './format.ts';

const liveMs = 100;
const plainMs = 2_000;

/** Shows how a replay goes until it is disposed of: one changing line on a terminal, else a line every two seconds. */
export class Progress implements Disposable {
  readonly #screen: Screen;
  readonly #title: string;
  readonly #requests: number;
  readonly #tally: Tally;
  readonly #startMs: number = performance.now();
  readonly #timer: NodeJS.Timeout;

  constructor(screen: Screen, title: string, requests: number, tally: Tally) {
    this.#screen = screen;
    this.#title = title;
    this.#requests = requests;
    this.#tally = tally;
    this.#timer = setInterval(() => this.#show(), screen.live ? liveMs : plainMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#screen.live) this.#screen.change('');
    this.#screen.print(this.#line());
  }

  #show(): void {
    if (this.#screen.live) this.#screen.change(this.#line());
    else this.#screen.print(this.#line());
  }

  #line(): string {
    const { requests, errors, hitRatio, latency } = this.#tally;
    const seconds = (performance.now() - this.#startMs) / 1000;
    return [
      `${seconds.toFixed(1).padStart(5)} s  ${this.#title}`,
      `${count(requests).padStart(count(this.#requests).length)} of ${count(this.#requests)}`,
      `hits ${percent(hitRatio)}`,
      `p50 ${milliseconds(latency.p50Ms)}`,
      `p99 ${milliseconds(latency.p99Ms)}`,
      `errors ${count(errors)}`,
    ].join('  ');
  }
}

/** A line that says that the replicas have lost the tier that they share, or have it again. */
export function outageLine({ atMs, lastedMs, servedWithout }: Outage, screen: Screen): string {
  const what =
    lastedMs === undefined
      ? `${screen.paint('red', 'Redis is gone')}: replicas serve what they hold, and ask the database`
      : `${screen.paint('green', 'Redis is back')} after ${milliseconds(lastedMs)}: ${count(servedWithout)} requests served without it`;
  return `${((atMs + (lastedMs ?? 0)) / 1000).toFixed(1).padStart(5)} s  ${what}`;
}

/** A line that says what has happened to a replica. */
export function eventLine({ type, replica, atMs }: Event, screen: Screen): string {
  const what = {
    killed: `${screen.paint('red', `${replica} is killed`)} with SIGKILL`,
    ejected: `the balancer takes ${replica} out: its requests go elsewhere`,
    forgotten: `discovery has noticed that ${replica} is gone`,
    joined: `${screen.paint('green', `${replica} joins`)}`,
    slow: `${screen.paint('red', `${replica} is slow`)}: a second more for every answer`,
    failing: `${screen.paint('red', `${replica} fails`)}: 503 to everything, at once`,
  };
  return `${(atMs / 1000).toFixed(1).padStart(5)} s  ${what[type]}`;
}
