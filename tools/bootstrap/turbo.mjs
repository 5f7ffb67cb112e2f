// Turborepo sends its maker usage figures and asks for newer versions, unless the environment forbids it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { install, root } from './install.mjs';
import { endWithParent } from './parent.mjs';

endWithParent();
process.chdir(root);
await install();
const turbo = fileURLToPath(import.meta.resolve('turbo/bin/turbo'));
const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' };
const { status } = spawnSync(process.execPath, [turbo, ...process.argv.slice(2)], { env, stdio: 'inherit' });
process.exitCode = status ?? 1;
