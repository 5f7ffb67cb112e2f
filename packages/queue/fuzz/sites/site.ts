import type { Capabilities, Driver } from '../../src/index.ts';
import type { Operation, Policy, RawJob, RawOp } from '../plan/plan.ts';

/** A backend on which case after case is played. */
export interface Site extends AsyncDisposable {
  readonly capabilities: Capabilities;
  /** How many drivers may share one state. */
  readonly mostProcesses: number;
  /** Whether connections can be broken. */
  readonly breaks: boolean;
  /** Whether answers of the server can be lost. Default: false. */
  readonly loses?: boolean;
  readonly leaseMs: number;
  /** `false`: what nobody settles stays in hands until its connection breaks. Default: true. */
  readonly hasLeases?: boolean;
  /**
   * Whether settlings are not confirmed, so that a connection that breaks may take back what was said, and deliveries are
   * counted when they are sent, also to a connection that has ended. Default: false.
   */
  readonly forgets?: boolean;
  /**
   * Whether the server may hand out a message whose lease has ended twice at once, and count that wrongly. Default: false.
   */
  readonly repeats?: boolean;
  /** Whether other code has jobs in the same queues. Default: false. */
  readonly shares?: boolean;
  /** What operators do there. Default: nothing. */
  readonly operations?: readonly Operation[];
  readonly policies?: readonly Policy[];
  /** A fresh state. */
  begin(processes: number): Promise<Stage>;
}

/** The state of one case. */
export interface Stage {
  readonly drivers: readonly Driver[];
  /** Milliseconds. */
  now(): number;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  break(): Promise<void>;
  /** Holds back all answers of the server. What it returns ends all connections, so that they never arrive. */
  hush?(): () => Promise<void>;
  readonly others?: OtherCode;
  readonly operator?: Operator;
  end(): Promise<void>;
}

/** What uses the same queues without this package, over connections of its own that hold. */
export interface OtherCode {
  /** The id of the job, then those of its children. */
  add(group: string, job: RawJob, id: string | undefined, body: (index: number) => object): Promise<string[]>;
  pause(group: string): Promise<void>;
  resume(group: string): Promise<void>;
  /** Whether it was done. */
  job(group: string, op: RawOp, messageId: string): Promise<boolean>;
}

export interface Operator {
  operate(group: string, op: Operation): Promise<void>;
  /** For all groups of the case. */
  policy?(policy: Policy): Promise<void>;
}

/** Milliseconds that the drivers wait for an answer: what is broken ends at once, and a slow machine is not. */
export const timeoutMs = 60_000;

/** The names of headers and of the type that a job of other code comes with. */
export const rawType = 'raw';

/** Wraps a driver, so that a fault can be planted. */
export type Wrap = (driver: Driver) => Driver;
