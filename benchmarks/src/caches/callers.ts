import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { libraries } from './libraries.ts';
import type { Place } from './library.ts';

/** Callers of one instance. */
export interface Callers {
  /** So many ask for the key at once; how often it was loaded for them. */
  ask(key: string, callers: number): Promise<number>;
  stop(): Promise<unknown>;
}

/** Longer than it takes both instances to hear of their callers. */
const loadMs = 100;

export async function callersHere(library: string, place: Place): Promise<Callers> {
  let loads = 0;
  const source = {
    async load() {
      loads++;
      await delay(loadMs);
      return 1;
    },
    async write() {},
  };
  const instance = await libraries[library]!({ source, how: 'delete', place });
  return {
    async ask(key, callers) {
      const before = loads;
      const answers = await Promise.all(Array.from({ length: callers }, () => instance.get(key)));
      if (answers.some(answer => answer !== 1)) throw new Error(`${library} answered ${answers.join()}`);
      return loads - before;
    },
    stop: () => instance.close(),
  };
}

/** What a process of callers is told. */
export interface Question {
  readonly key: string;
  readonly callers: number;
}

/** In a process of their own. */
export async function callersThere(library: string, { port, prefix }: Place): Promise<Callers> {
  const child = fork(new URL('./programs/callers.ts', import.meta.url), [library, `${port}`, prefix], {
    execArgv: ['--conditions=@ashlar/source', '--import', 'tsx'],
  });
  const gone = once(child, 'exit');
  await answer(child, gone);
  return {
    async ask(key, callers) {
      const loads = answer(child, gone);
      child.send({ key, callers } satisfies Question);
      return loads;
    },
    async stop() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

async function answer(child: ChildProcess, gone: Promise<unknown>): Promise<number> {
  const message = once(child, 'message').then(([loads]) => loads as number);
  const loads = await Promise.race([message, gone.then(() => undefined)]);
  if (loads === undefined) throw new Error('a process of callers ended');
  return loads;
}
