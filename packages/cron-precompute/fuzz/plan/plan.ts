/** What happens in one case, as JSON holds it. Numbers of processes are taken modulo how many there are. */
export interface Plan {
  readonly schedule: ScheduleSpec;
  readonly options: OptionsSpec;
  readonly processes: number;
  /** So many of them, from the last one, never start the schedule: they only ask for runs. Default: 0. */
  readonly unstarted?: number;
  readonly steps: readonly Step[];
}

export interface ScheduleSpec {
  /** Five fields of a cron pattern, or an interval in milliseconds. */
  readonly pattern: string | number;
  readonly timeZone: string;
  /** When the case begins. */
  readonly startsAt: string;
  readonly skippedHour?: 'next' | 'shift' | 'skip';
  readonly repeatedHour?: 'first' | 'second' | 'both';
  /** Minutes after the start, of the local time: from, and to. */
  readonly blackouts: readonly (readonly [from: number, to: number])[];
  /** Whether each blackout is a function instead of dates. */
  readonly asFunction: boolean;
}

export interface OptionsSpec {
  readonly misfire: {
    readonly rule: 'skip' | 'once' | 'all';
    readonly max: number;
    readonly graceMs: number;
    readonly deadlineMs?: number;
  };
  readonly overlap: 'forbid' | 'queue' | 'replace';
  readonly jitterMs: number;
  readonly timeoutMs?: number;
  readonly graceMs: number;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly crashes: number;
  readonly keep: number;
  readonly readersGraceMs: number;
  readonly source: 'generator' | 'chunks';
  readonly incremental: boolean;
  /** In the zone of the schedule. */
  readonly window?: { readonly from: string; readonly to: string };
}

/** What the source, or another callback, does in the run that begins next. */
export type Behavior =
  | 'throws'
  | 'throws what cannot be read'
  | 'hangs until its signal'
  | 'hangs'
  | 'is slow'
  | 'keeps checkpoints'
  | 'yields what is odd'
  | 'yields an odd key'
  | 'yields nothing'
  | 'reports odd progress'
  | 'is no iterable'
  | 'check refuses'
  | 'check throws'
  | 'check returns nothing'
  | 'check hangs'
  | 'sink throws'
  | 'sink hangs'
  | 'calls refresh'
  | 'calls pause'
  | 'calls resume'
  | 'calls rollback'
  | 'calls close'
  | 'calls back';

/** The values of the store that a fault is about, by the end of their keys. */
export type Place = 'state' | 'runs' | 'pointer' | 'manifest' | 'chunks' | 'claim' | 'any';
export type StoreFault = 'refused' | 'answer lost' | 'late';

export type Step =
  | { readonly step: 'wait'; readonly ms: number }
  | { readonly step: 'start' | 'close' | 'kill' | 'stop' | 'go'; readonly process: number }
  /** What the next run does that begins, wherever that is. */
  | { readonly step: 'behave'; readonly behavior: Behavior }
  /** Of the rows that the source reads. */
  | { readonly step: 'change'; readonly row: number; readonly isGone: boolean }
  /** The process dies, or stands still, at its next change of this place. */
  | {
      readonly step: 'trap';
      readonly process: number;
      readonly place: Place;
      readonly when: 'before' | 'after';
      readonly what: 'kill' | 'stop';
    }
  | {
      readonly step: 'fault';
      readonly process: number;
      readonly place: Place;
      readonly fault: StoreFault;
      readonly times: number;
    }
  /** So long each call of the process takes on its way, and its answer on the way back. */
  | { readonly step: 'slow'; readonly process: number; readonly ms: number }
  /** The clock of the process goes so far before that of the others, or behind. */
  | { readonly step: 'clock'; readonly process: number; readonly ms: number }
  | { readonly step: 'refresh'; readonly process: number; readonly giveUpMs: number | undefined }
  | { readonly step: 'backfill'; readonly process: number; readonly backMs: number }
  | { readonly step: 'rollback'; readonly process: number; readonly isPrevious: boolean }
  | { readonly step: 'pause' | 'resume' | 'look'; readonly process: number }
  /** A call with an argument that is odd, or a data set with such an option. */
  | { readonly step: 'odd call'; readonly process: number; readonly call: string; readonly value: string }
  | { readonly step: 'odd option'; readonly option: string; readonly value: string };
