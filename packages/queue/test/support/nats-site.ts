import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type NatsServer, startNats } from '@workspace/services';
import { afterAll, beforeAll } from 'vitest';

/** A NATS of its own for the tests of a file, and a client past what is tested, which connects again as often as it must. */
export class NatsSite {
  server!: NatsServer;
  admin!: NatsConnection;

  constructor() {
    beforeAll(async () => {
      this.server = await startNats({ own: true });
      this.admin = await connect({ servers: this.servers, maxReconnectAttempts: -1 });
    });
    afterAll(async () => {
      await this.admin?.close();
      await this.server?.stop();
    });
  }

  /** The version of the server, when it is older than that one: the reason to skip a test of what that one has. */
  olderThan(major: number, minor: number): string | undefined {
    const { version } = this.admin.info!;
    const [hasMajor, hasMinor] = version.split('.').map(Number) as [number, number];
    const isOlder = hasMajor < major || (hasMajor === major && hasMinor < minor);
    return isOlder ? `NATS ${major}.${minor} or later is needed, and this is ${version}` : undefined;
  }

  /** Asks the API of JetStream. */
  async api<T>(subject: string, body: object = {}): Promise<T> {
    const options = { timeout: 20_000 };
    return (await this.admin.request(`$JS.API.${subject}`, JSON.stringify(body), options)).json<T>();
  }

  get servers(): string {
    return `127.0.0.1:${this.server.port}`;
  }
}
