import { ServiceUnavailableError } from '../errors.ts';
import { catalog, type ServiceName } from './catalog.ts';
import { dockerRefusal } from './docker.ts';
import { install, installAllowed, installRefusal } from './install.ts';
import { locate, urlOf } from './locate.ts';
import type { Provided } from './program.ts';

const providing = new Map<ServiceName, Promise<Provided>>();

/**
 * Finds the service's program: on the PATH or in Debian's folders, else in Docker, else by installing it.
 * Found once, it stays so for this process.
 *
 * @throws ServiceUnavailableError that says what was tried.
 */
export function provide(service: ServiceName): Promise<Provided> {
  let provided = providing.get(service);
  if (provided === undefined) {
    provided = search(service);
    providing.set(service, provided);
  }
  return provided;
}

/** The path of a program or header that must be on this machine itself, such as `cc`. @throws as `provide`. */
export async function providePath(service: ServiceName): Promise<string> {
  const provided = await provide(service);
  if (provided.kind === 'local') return provided.path;
  throw new ServiceUnavailableError(service, 'it is needed on this machine, not in a container');
}

/** A service, or `{ own }` where a server that the user runs will not do: the test stops it, or needs several. */
export type Need = ServiceName | { readonly own: ServiceName };

/** Whether what is needed can be had; finding out may install it. */
export async function available(need: Need): Promise<{ ok: true } | { ok: false; reason: string }> {
  const service = typeof need === 'string' ? need : need.own;
  if (typeof need === 'string' && urlOf(service) !== undefined) return { ok: true };
  try {
    await provide(service);
    return { ok: true };
  } catch (error) {
    if (error instanceof ServiceUnavailableError) return { ok: false, reason: error.message };
    throw error;
  }
}

async function search(service: ServiceName): Promise<Provided> {
  const found = locate(service);
  if (found !== undefined) return { kind: 'local', path: found };
  const { file, image, atLeast } = catalog[service];
  if (image !== undefined && (await dockerRefusal(image)) === undefined) {
    return { kind: 'docker', path: file, image };
  }
  const refusal = installRefusal(service);
  if (refusal !== undefined) throw new ServiceUnavailableError(service, refusal);
  if (!(await installAllowed(service)))
    throw new ServiceUnavailableError(service, 'its installation was declined');
  const failure = await install(service).catch((error: Error) => error);
  const path = locate(service);
  if (path !== undefined) return { kind: 'local', path };
  const which = atLeast === undefined ? file : `${file} of version ${atLeast} or later`;
  const reason = failure?.message ?? `it was installed, but there is no ${which} in the usual folders`;
  throw new ServiceUnavailableError(service, reason, { cause: failure });
}
