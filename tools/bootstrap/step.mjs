import { spawn } from 'node:child_process';

/**
 * Runs a program to its end and keeps what it writes. A signal that would end this process goes to the program
 * first, and both end by it.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Record<string, string>} env added to this process's environment
 * @returns {Promise<{ code: number | string | null, output: string }>}
 */
export function runStep(command, args, env) {
  return new Promise(resolve => {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    /** @type {NodeJS.Signals | undefined} */
    let interrupted;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => (output += text));
    /** @param {NodeJS.Signals} signal */
    const forward = signal => {
      interrupted = signal;
      child.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    child.on('error', error => resolve({ code: 'none', output: `${error.message}\n` }));
    child.on('close', (code, signal) => {
      for (const each of signals) process.off(each, forward);
      if (interrupted !== undefined) process.kill(process.pid, interrupted);
      else resolve({ code: code ?? signal, output });
    });
  });
}
