import { AshlarError } from '@ashlar/core';

/** The servers that were asked for cannot be had. The message is one line that says what would help. */
export class ServersError extends AshlarError {
  static override readonly code: string = 'FAILOVER_SERVERS';
}

/** What is used of a server of `@workspace/services`. */
export interface LocalServer {
  readonly url: string;
  readonly port: number;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface Services {
  available(need: {
    readonly own: 'postgres' | 'redis';
  }): Promise<{ ok: true } | { ok: false; reason: string }>;
  startPostgres(options: {
    readonly own: true;
    readonly standbys?: number;
    readonly config?: Readonly<Record<string, string | boolean>>;
  }): Promise<LocalServer & { readonly standbys: readonly LocalServer[] }>;
  startRedis(options: {
    readonly own: true;
    readonly replicas: number;
    readonly sentinels: number;
    readonly config: Readonly<Record<string, string | number>>;
  }): Promise<
    LocalServer & {
      readonly replicas: readonly LocalServer[];
      readonly sentinels: readonly LocalServer[];
      readonly masterName: string;
    }
  >;
}

/** @param load for tests @throws ServersError when the program is not on this machine */
export async function servicesFor(
  own: 'postgres' | 'redis',
  load: () => Promise<Pick<Services, 'available'>> = loadServices,
): Promise<Services> {
  const services = (await load()) as Services;
  const found = await services.available({ own });
  if (found.ok) return services;
  const reason = found.reason.replaceAll(/\s+/g, ' ').replace(/\.$/, '');
  throw new ServersError(`${reason}. Without --${own} all is in memory, and needs no server`);
}

/** The workspace's own servers for tests are TypeScript that nobody builds. */
async function loadServices(): Promise<Services> {
  const { register } = await import('tsx/esm/api');
  const unregister = register();
  const specifier = '@workspace/services';
  try {
    return (await import(specifier)) as Services;
  } finally {
    await unregister();
  }
}
