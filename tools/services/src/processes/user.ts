import { readFileSync } from 'node:fs';

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The first of these users that the machine has, where we are root; `undefined` where we are not. */
export function otherUser(...names: readonly string[]): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const wanted of names) {
    const [name, , uid, gid] = users.find(line => line.startsWith(`${wanted}:`))?.split(':') ?? [];
    if (name !== undefined) return { name, uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(`running as root, and there is none of the users ${names.join(', ')}`);
}
