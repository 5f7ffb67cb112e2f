/** What is used of a job, in BullMQ 5 and 6 alike. */
export interface BullJob {
  id?: string;
  readonly name: string;
  readonly data: unknown;
  readonly opts: { readonly removeOnFail?: unknown; readonly partitionkey?: string };
  readonly timestamp: number;
  readonly attemptsStarted: number;
  readonly attemptsMade: number;
  readonly failedReason?: string;
  readonly finishedOn?: number;
  /** Why it must fail without being handled: a child of it has failed, or another worker found it stalled too often. */
  readonly deferredFailure?: string;
  moveToCompleted(value: unknown, token: string, fetchNext: boolean): Promise<unknown>;
  moveToFailed(error: Error, token: string, fetchNext: boolean): Promise<unknown>;
  updateData(data: unknown): Promise<void>;
  updateProgress(value: unknown): Promise<void>;
  retry(state: 'failed', options: object): Promise<void>;
  remove(): Promise<void>;
}

export interface JobOptions {
  readonly jobId: string;
  readonly removeOnComplete: { readonly age: number; readonly count: number };
  readonly removeOnFail: { readonly count: number };
  readonly delay?: number;
  readonly priority?: number;
  readonly deduplication?: {
    readonly id: string;
    readonly ttl?: number;
    readonly replace?: boolean;
  };
  /** Of BullMQ unknown, and kept with the job. */
  readonly partitionkey?: string;
}

export interface NewJob {
  readonly name: string;
  readonly data: object;
  readonly opts: JobOptions;
}

/** The scripts of BullMQ: `scripts` of a queue in 5, its backend in 6. */
export interface BullScripts {
  moveToDelayed(id: string, now: number, delayMs: number, token: string, options: object): Promise<unknown>;
  moveToFailedArgs(
    job: BullJob,
    reason: string,
    removeOnFail: unknown,
    token: string,
    fetchNext: boolean,
    fieldsToUpdate: object,
  ): unknown;
  moveToFinished(id: string, args: unknown): Promise<unknown>;
  retryJob(id: string, lifo: boolean, token: string, options: object): Promise<void>;
  extendLocks(ids: readonly string[], tokens: readonly string[], ms: number): Promise<readonly string[]>;
  moveStalledJobsToWait(): Promise<readonly string[]>;
  remove(id: string, withChildren: boolean): Promise<number>;
}

interface BullBase {
  toKey(type: string): string;
  on(event: 'error', listener: (error: Error) => void): unknown;
  /** BullMQ 5. */
  readonly scripts?: BullScripts;
  /** BullMQ 6. */
  getBackend?(): BullScripts;
}

export interface BullQueue extends BullBase {
  add(name: string, data: object, options: JobOptions): Promise<BullJob>;
  addBulk(jobs: readonly NewJob[]): Promise<readonly BullJob[]>;
  getJob(id: string): Promise<BullJob | undefined>;
  getJobs(
    types: readonly string[],
    start: number,
    end: number,
    ascending: boolean,
  ): Promise<readonly BullJob[]>;
  getJobCounts(...types: readonly string[]): Promise<Readonly<Record<string, number>>>;
  pause(): Promise<void>;
  resume(): Promise<void>;
}

/** It runs nothing by itself: it fetches, and schedules what follows a job of a scheduler. */
export interface BullWorker extends BullBase {
  /** Milliseconds since the epoch, or 0: until then the queue hands out nothing for its rate, and when a delay ends. */
  readonly limitUntil: number;
  readonly blockUntil: number;
  getNextJob(token: string, options: { readonly block: boolean }): Promise<BullJob | undefined>;
  nextJobFromJobData(data: unknown, id: unknown, token: string): Promise<BullJob | undefined>;
  updateDelays(limitMs: number, delayUntil: number): void;
}

export interface BullFlowProducer {
  on(event: 'error', listener: (error: Error) => void): unknown;
  addBulk(
    jobs: readonly (NewJob & { readonly queueName: string; readonly prefix: string })[],
  ): Promise<readonly { readonly job: BullJob }[]>;
}

/** The module `bullmq`: 5.81.5 or later, or 6.3.3 or later. */
export interface BullmqLibrary {
  readonly Queue: new (name: string, options: never) => object;
  readonly Worker: new (name: string, processor: never, options: never) => object;
  readonly FlowProducer: new (options: never) => object;
  readonly RedisConnection: new (connection: never, options: never) => { readonly client: Promise<unknown> };
}

export function scriptsOf(owner: BullBase): BullScripts {
  return (owner.getBackend?.() ?? owner.scripts) as BullScripts;
}
