/** What happens in one case, as JSON holds it. Numbers of processes, consumers and messages are taken modulo how many there are. */
export interface Plan {
  readonly processes: number;
  /** What all consumers ask for. */
  readonly sharing: 'any' | 'ordered' | 'fair';
  readonly steps: readonly Step[];
}

export interface MessageSpec {
  /** The id of an earlier message, again. */
  readonly again?: number;
  /** One that may be taken for something else. Default: one that counts messages. */
  readonly id?: string;
  readonly bytes: number;
  readonly key?: string;
  readonly delayMs?: number;
  readonly priority?: number;
  readonly expiresInMs?: number;
}

/** What becomes of a delivery. `abandon`: nobody extends it any more. */
export type Settling =
  | { readonly how: 'ack' | 'ackTwice' | 'abandon' }
  /** With a result to be kept. */
  | { readonly how: 'answer'; readonly result: number }
  | { readonly how: 'fail'; readonly pauseMs: number }
  | { readonly how: 'giveBack'; readonly pauseMs: number }
  | { readonly how: 'dead' };

/** A job as other code makes it, without this package. */
export interface RawJob {
  /** The beginning of its id. Without: the one that the backend makes. */
  readonly id?: string;
  readonly delayMs?: number;
  readonly priority?: number;
  /** Whether it is handed out before those that wait already. */
  readonly first?: boolean;
  /** Whether nothing is kept of it once it is finished, either way. */
  readonly forgotten?: boolean;
  /** Jobs that must be finished before it is handed out. */
  readonly children?: number;
}

/** What other code and dashboards do to one job. */
export type RawOp = 'remove' | 'retry' | 'promote' | 'evict';

/** What operators do to a backend, past this package. `purge`: all that waits goes. `delete`: the group goes. */
export type Operation = 'purge' | 'delete' | 'deleteDead' | 'deleteDelays' | 'deleteTopic' | 'close';

/** `full`: three messages at most. `few`: two deliveries at most. `brief`: none waits for longer than 100 ms. */
export type Policy = 'none' | 'full' | 'few' | 'brief';

interface InGroup {
  readonly process: number;
  readonly group: string;
}

export type Step =
  | ({ readonly step: 'declare' } & InGroup)
  | { readonly step: 'publish'; readonly process: number; readonly messages: readonly MessageSpec[] }
  | ({ readonly step: 'open'; readonly prefetch: number } & InGroup)
  | { readonly step: 'shut'; readonly consumer: number }
  /** All at once. `again`: what was not answered is settled once more. */
  | {
      readonly step: 'settle';
      readonly each: readonly (Settling & { readonly held: number })[];
      readonly again?: boolean;
    }
  /** How far the handler of a delivery is. */
  | { readonly step: 'progress'; readonly held: number; readonly value: number }
  | { readonly step: 'wait'; readonly ms: number }
  /** Every connection ends, and may come back at once. */
  | { readonly step: 'break' }
  /** The server does what it is asked for meanwhile, and its answers are lost with the connections. */
  | { readonly step: 'lose'; readonly of: Step }
  | ({
      readonly step: 'letters';
      readonly op: 'inspect' | 'redrive' | 'purge';
      /** Only these of them, some more than once; below 0, one that nobody published. */
      readonly named?: readonly number[];
      readonly limit?: number;
    } & InGroup)
  /** All dead letters, some at a time. */
  | ({ readonly step: 'pages'; readonly limit: number } & InGroup)
  | ({ readonly step: 'job'; readonly op: 'find' | 'cancel'; readonly message: number } & InGroup)
  | ({ readonly step: 'pause' | 'resume' } & InGroup)
  | ({ readonly step: 'stats' } & InGroup)
  | { readonly step: 'raw'; readonly group: string; readonly jobs: readonly RawJob[] }
  | { readonly step: 'rawPause' | 'rawResume'; readonly group: string }
  | { readonly step: 'rawJob'; readonly group: string; readonly op: RawOp; readonly message: number }
  | { readonly step: 'operate'; readonly group: string; readonly op: Operation }
  | { readonly step: 'policy'; readonly policy: Policy };
