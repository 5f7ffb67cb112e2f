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

  get servers(): string {
    return `127.0.0.1:${this.server.port}`;
  }
}
