import * as services from '@workspace/services';
import { expect, it } from 'vitest';
import { ServersError, type Services, servicesFor } from '../src/clusters/services.ts';

it('are those of the workspace', () => {
  const known: Services = services;
  expect(typeof known.startPostgres).toBe('function');
});

it('that cannot be had are told in one line, with what would help', async () => {
  const reason = 'redis cannot be had: no program redis-server\n on the PATH.';
  const none = async () => ({ available: async () => ({ ok: false, reason }) as const });
  const asking = servicesFor('redis', none);
  await expect(asking).rejects.toThrow(ServersError);
  await expect(asking).rejects.toThrow(
    /^redis cannot be had: no program redis-server on the PATH\. Without --redis all is in memory, and needs no server$/,
  );
});
