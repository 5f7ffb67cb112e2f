import type { User } from '../processes/user.ts';

/** How a service's program can be run: by its path here, or in a container of an image. */
export type Provided =
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'docker'; readonly path: string; readonly image: string };

/** How a program is run. */
export interface RunOptions {
  readonly args: readonly string[];
  readonly directory: string;
  /** The file that takes its output and errors, appended. */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: User | undefined;
}

/** A program that was started, and everything that it starts. */
export interface Running {
  readonly pid: number;
  /** Resolves when it has ended, with the exit code or the signal. */
  readonly ended: Promise<string>;
  /** Sends a signal to the program itself. */
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL to all of it; resolves when all of it is gone. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
}
