import { type Script, script } from '@ashlar/store/redis-connection';

export type RedisArgument = string | number | Buffer;

/** The part of a client of ioredis that is used. */
export interface RedisCallsLike {
  call(command: string, ...args: RedisArgument[]): Promise<unknown>;
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown>;
}

export interface Calling {
  /** Whether the server is to refuse writes. Default: false. */
  readonly isRead?: boolean;
  /** Whether texts are answered as bytes. Default: false. */
  readonly isBinary?: boolean;
}

/** Runs a script by its hash, and sends it where the server does not know it. */
export async function run(
  client: RedisCallsLike,
  { source, sha }: Script,
  keys: readonly string[],
  args: readonly RedisArgument[],
  { isRead = false, isBinary = false }: Calling = {},
): Promise<unknown> {
  const send = (name: string, text: string) => {
    const command = isRead ? `${name}_RO` : name;
    const all = [text, keys.length, ...keys, ...args];
    return isBinary ? client.callBuffer(command, ...all) : client.call(command, ...all);
  };
  try {
    return await send('EVALSHA', sha);
  } catch (error) {
    if (!startsWith(error, 'NOSCRIPT')) throw error;
    return send('EVAL', source);
  }
}

/** Whether a server has answered with an error of this code. */
export function startsWith(error: unknown, code: string): error is Error {
  return error instanceof Error && error.message.startsWith(code);
}

const known = new Map<string, Script>();
const maxKnown = 1_000;

/** The script of a source that comes again and again. */
export function scriptOf(source: string): Script {
  let found = known.get(source);
  if (found === undefined) {
    if (known.size >= maxKnown) known.clear();
    found = script(0, source);
    known.set(source, found);
  }
  return found;
}
