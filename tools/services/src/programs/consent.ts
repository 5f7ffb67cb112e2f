import type { Plugin } from 'vitest/config';
import { catalog, type ServiceName } from './catalog.ts';
import { ask, installRefusal, someoneIsThere } from './install.ts';
import { locate } from './locate.ts';

/**
 * A plugin of vitest: where a person sits at the terminal, asks once, before anything is run, whether what the
 * tests turn out to need may be installed. The workers have no terminal to ask at; `ASHLAR_INSTALL` tells them.
 */
export function installConsent(): Plugin {
  return { name: 'ashlar:install-consent', configureVitest: askOnce };
}

async function askOnce(): Promise<void> {
  if (process.env['ASHLAR_INSTALL'] !== undefined || !someoneIsThere()) return;
  const missing = (Object.keys(catalog) as ServiceName[]).filter(service => locate(service) === undefined);
  const [first] = missing;
  if (first === undefined || installRefusal(first) !== undefined) return;
  const packages = missing.flatMap(service => catalog[service].debian).join(' ');
  const question = `Not installed: ${packages}. May tests that need them run apt-get (nothing is started)? [y/N] `;
  process.env['ASHLAR_INSTALL'] = (await ask(question)) ? '1' : '0';
}
