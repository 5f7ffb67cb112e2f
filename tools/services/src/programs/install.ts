import { execFile } from 'node:child_process';
import { existsSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { catalog, type ServiceName } from './catalog.ts';

const lock = '/run/ashlar-install.lock';
const policy = '/usr/sbin/policy-rc.d';
const lists = '/var/lib/apt/lists';

/**
 * Runs `apt-get install "$@"` under a lock that one process of the machine holds at a time, and with a policy
 * that lets no package start its daemon. A policy of the machine's own is kept if it forbids the same.
 * `$1` is the lock, `$2` the policy's path, `$3` the folder of apt's lists, the rest are packages.
 */
export const installScript = `
set -eu
lock=$1 policy=$2 lists=$3; shift 3
exec 9>"$lock"
flock -w 900 9 || { echo "another installation holds $lock" >&2; exit 75; }
if [ -e "$policy" ] && ! grep -q ashlar-install "$policy"; then
  status=0; "$policy" ashlar start >&2 || status=$?
  [ "$status" = 101 ] || { echo "$policy lets packages start daemons" >&2; exit 76; }
else
  trap 'rm -f "$policy"' EXIT
  trap 'exit 143' INT TERM HUP
  printf '#!/bin/sh\\n# ashlar-install\\nexit 101\\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
get() { apt-get -q -o DPkg::Lock::Timeout=600 "$@" 9>&-; }
[ -n "$(find "$lists" -name '*_Packages*' 2>/dev/null | head -n 1)" ] || get update
get install -y --no-install-recommends "$@" || { get update && get install -y --no-install-recommends "$@"; }
`;

/** Why the service's packages cannot be installed here; `undefined` when they can be. */
export function installRefusal(service: ServiceName): string | undefined {
  if (process.env['ASHLAR_INSTALL'] === '0') return `ASHLAR_INSTALL=0 forbids ${command(service)}`;
  if (!existsSync('/etc/debian_version')) return 'it is not installed, and this is not Debian';
  if (process.getuid?.() !== 0) return `it is not installed, and only root can run ${command(service)}`;
  return undefined;
}

/** Whether the person at the terminal, if there is one who has not said it before, lets the service be installed. */
export async function installAllowed(service: ServiceName): Promise<boolean> {
  if (process.env['ASHLAR_INSTALL'] === '1' || !someoneIsThere()) return true;
  return ask(`${service} is not installed. Run ${command(service)} (nothing is started)? [y/N] `);
}

function command(service: ServiceName): string {
  return `\`apt-get install ${catalog[service].debian.join(' ')}\``;
}

/** A person at a terminal, who is asked before anything is installed. */
export function someoneIsThere(): boolean {
  const ci = process.env['CI'];
  return process.stdin.isTTY && process.stdout.isTTY && (ci === undefined || ci === '' || ci === 'false');
}

/** Whether the person at the terminal answers yes. Ctrl-C ends the process, the end of the input is a no. */
export async function ask(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  terminal.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  const closed = new Promise<string>(resolve => void terminal.once('close', () => resolve('')));
  const answer = await Promise.race([terminal.question(question).catch(() => ''), closed]);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

/** Installs the service's Debian packages, without starting anything. @throws what apt-get said. */
export function install(service: ServiceName): Promise<void> {
  const { debian } = catalog[service];
  writeSync(2, `services: installing ${debian.join(' ')} with apt-get\n`);
  return new Promise((resolve, reject) => {
    const args = ['-c', installScript, 'install', lock, policy, lists, ...debian];
    execFile('/bin/sh', args, { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      if (error === null) return resolve();
      const said = `${stdout}\n${stderr}`.trim().split('\n').slice(-15).join('\n');
      reject(new Error(`apt-get install ${debian.join(' ')} failed:\n${said}`, { cause: error }));
    });
  });
}
