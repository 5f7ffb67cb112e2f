import type { CallOutcome } from '@ashlar/core';
import type { Argument } from './client.ts';
import { codeOf } from './failure.ts';
import type { Link } from './link.ts';
import type { Script } from './script.ts';

export interface ScriptOptions {
  /** What is known of it when no answer comes; `Unknown` by default. */
  readonly outcome?: CallOutcome;
  /** Whether text in the answer comes as bytes. */
  readonly asBytes?: boolean;
  /** Of a script that takes any number of keys: how many above its least. */
  readonly moreKeys?: number;
}

/** Commands and scripts over a link. */
export class Commands {
  readonly #link: Link;
  readonly #timeoutMs: number;

  constructor(link: Link, timeoutMs: number) {
    this.#link = link;
    this.#timeoutMs = timeoutMs;
  }

  /** What changes nothing, so that without an answer nothing was done. */
  reading(command: string, args: readonly Argument[], asBytes: boolean): Promise<unknown> {
    return this.#call(command, args, 'NotExecuted', asBytes);
  }

  /** `args` begins with the script's keys. */
  async script(
    { sha, source, keys }: Script,
    args: readonly Argument[],
    { outcome = 'Unknown', asBytes = false, moreKeys = 0 }: ScriptOptions = {},
  ): Promise<unknown> {
    const count = keys + moreKeys;
    try {
      return await this.#call('EVALSHA', [sha, count, ...args], outcome, asBytes);
    } catch (error) {
      if (!(error instanceof Error) || codeOf(error.cause) !== 'NOSCRIPT') throw error;
      return this.#call('EVAL', [source, count, ...args], outcome, asBytes);
    }
  }

  /** Sends the text of the script, so that calls are executed in their order also where the server has forgotten it. */
  wholeScript({ source, keys }: Script, args: readonly Argument[], moreKeys: number): Promise<unknown> {
    return this.#call('EVAL', [source, keys + moreKeys, ...args], 'Unknown', false);
  }

  #call(
    command: string,
    args: readonly Argument[],
    outcome: CallOutcome,
    asBytes: boolean,
  ): Promise<unknown> {
    return this.#link.call({ command, args, asBytes, outcome, timeoutMs: this.#timeoutMs });
  }
}
