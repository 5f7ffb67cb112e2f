import type { Capabilities, Driver } from '../../src/index.ts';

/** A backend on which case after case is played. */
export interface Site extends AsyncDisposable {
  readonly capabilities: Capabilities;
  /** How many drivers may share one state. */
  readonly mostProcesses: number;
  /** Whether connections can be broken. */
  readonly breaks: boolean;
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
  end(): Promise<void>;
}

/** Wraps a driver, so that a fault can be planted. */
export type Wrap = (driver: Driver) => Driver;
