import { type CallOutcome, durationMs, objectWith, required } from '@ashlar/core';
import type { Argument } from './client.ts';
import type { Link } from './link.ts';
import type { Script } from './script.ts';

export interface ScriptOptions {
  /** What is known of it when no answer comes. Default: `Unknown`. */
  readonly outcome?: CallOutcome;
  /** Whether text in the answer comes as bytes. Default: false. */
  readonly asBytes?: boolean;
  /** For a script that takes any number of keys: how many more than its least. Default: 0. */
  readonly moreKeys?: number;
}

const linkRule = required(objectWith<Link>(['close', 'abort', 'call']), 'write `new Link(options)`');
const timeoutRule = required(durationMs(undefined, { above: 0, max: 2 ** 31 - 1 }));

/** Commands and scripts over a link, each with the same deadline. They reject with the errors of the link. */
export class Commands {
  readonly #link: Link;
  readonly #timeoutMs: number;

  /**
   * @param timeoutMs milliseconds for each call, the wait for a connection included
   * @throws InvalidOptionError
   */
  constructor(link: Link, timeoutMs: number) {
    this.#link = linkRule(link, 'link');
    this.#timeoutMs = timeoutRule(timeoutMs, 'timeoutMs');
  }

  /** A command that changes nothing, so its outcome without an answer is `NotExecuted`. */
  reading(command: string, args: readonly Argument[], asBytes: boolean): Promise<unknown> {
    return this.#link.call({ command, args, asBytes, outcome: 'NotExecuted', timeoutMs: this.#timeoutMs });
  }

  /** Runs a script by its hash, and by its text where the server does not know it. `args` begins with its keys. */
  script(
    { sha, source, keys }: Script,
    args: readonly Argument[],
    { outcome = 'Unknown', asBytes = false, moreKeys = 0 }: ScriptOptions = {},
  ): Promise<unknown> {
    const rest = [keys + moreKeys, ...args];
    const timeoutMs = this.#timeoutMs;
    return this.#link.call({ command: 'EVALSHA', args: [sha, ...rest], source, asBytes, outcome, timeoutMs });
  }

  /** Runs a script by its text, so that calls keep their order also where the server has forgotten the script. */
  wholeScript({ source, keys }: Script, args: readonly Argument[], moreKeys: number): Promise<unknown> {
    const timeoutMs = this.#timeoutMs;
    const rest = [source, keys + moreKeys, ...args];
    return this.#link.call({ command: 'EVAL', args: rest, asBytes: false, outcome: 'Unknown', timeoutMs });
  }
}
