import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Waits for the end of its input, which comes when this process is gone, however it went: SIGKILL leaves no
 * other chance. Then it ends the process groups and containers that are still noted, SIGTERM first and SIGKILL within a
 * second, and removes the folder.
 */
const script = `
trap '' INT TERM HUP QUIT
folder=$1 groups= containers=
without() { for each in $2; do [ "$each" = "$1" ] || printf '%s ' "$each"; done; }
while read -r verb what; do
  case $verb in
    +group) groups="$groups $what" ;;
    -group) groups=$(without "$what" "$groups") ;;
    +container) containers="$containers $what" ;;
    -container) containers=$(without "$what" "$containers") ;;
  esac
done
any() { for group in $groups; do kill -s 0 -- "-$group" && return 0; done; return 1; }
for group in $groups; do kill -s TERM -- "-$group"; kill -s CONT -- "-$group"; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do any || break; sleep 0.1; done
for group in $groups; do kill -s KILL -- "-$group"; done
for container in $containers; do docker rm -f "$container"; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$folder" && break; sleep 0.2; done
`;

interface Reaper {
  readonly folder: string;
  readonly process: ChildProcess;
}

let reaper: Reaper | undefined;

function theReaper(): Reaper {
  if (reaper !== undefined) return reaper;
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-'));
  chmodSync(folder, 0o711); // servers that run as another user have folders of their own inside
  const child = spawn('/bin/sh', ['-c', script, 'ashlar-reaper', folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => {});
  child.unref();
  const input = child.stdin as Socket;
  input.on('error', () => {});
  input.unref();
  reaper = { folder, process: child };
  return reaper;
}

/** The folder of this process for everything temporary. It goes when the process does. */
export function temporaryRoot(): string {
  return theReaper().folder;
}

/** Notes a process group or container that must not outlive this process. */
export function reap(kind: 'group' | 'container', id: number | string): void {
  theReaper().process.stdin?.write(`+${kind} ${id}\n`);
}

/** Takes back `reap`, once the group or container has ended. */
export function spare(kind: 'group' | 'container', id: number | string): void {
  theReaper().process.stdin?.write(`-${kind} ${id}\n`);
}
