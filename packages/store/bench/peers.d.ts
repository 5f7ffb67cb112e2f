declare module 'redlock' {
  import type { Redis } from 'ioredis';

  export interface Lock {
    readonly value: string;
    unlock(): Promise<void>;
    extend(ttlMs: number): Promise<Lock>;
  }

  export default class Redlock {
    constructor(clients: readonly Redis[], options?: { retryCount?: number; retryDelay?: number });
    lock(resource: string, ttlMs: number): Promise<Lock>;
    on(event: 'clientError', listener: (error: Error) => void): this;
  }
}
