import type { ServiceName } from '../programs/catalog.ts';
import { urlOf } from '../programs/locate.ts';
import type { Server } from './server.ts';

/**
 * The server that the environment names for this service, if it does. It belongs to the user: `stop` leaves it as
 * it is, and what would disturb it throws.
 */
export function givenServer(
  service: ServiceName,
): (Server & { readonly url: string; readonly port: number }) | undefined {
  const url = urlOf(service);
  if (url === undefined) return undefined;
  const refuse = () => {
    throw new Error(
      `${service} at ${new URL(url).host} is the user's: ask for a server of your own with { own: true }`,
    );
  };
  const refuseLater = async () => refuse();
  return {
    name: service,
    url,
    port: Number(new URL(url).port),
    running: true,
    get pid(): number {
      return refuse();
    },
    get directory(): string {
      return refuse();
    },
    kill: refuseLater,
    restart: refuseLater,
    log: refuseLater,
    pause: refuse,
    resume: refuse,
    signal: refuse,
    async stop() {},
    async [Symbol.asyncDispose]() {},
  };
}
