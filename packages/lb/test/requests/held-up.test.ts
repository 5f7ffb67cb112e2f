import { expect, it } from 'vitest';
import { LoadBalancer } from '../../src/index.ts';
import { front } from '../support/front.ts';
import { HeldAnswers } from '../support/held-answers.ts';

const requests = 12;
const timeoutMs = 1_500;
const unblamed = [{ failed: 0 }, { failed: 0 }];

it('takes what arrived in time while the event loop stood still, and blames nobody', async () => {
  const server = await HeldAnswers.start();
  await using lb = new LoadBalancer({ endpoints: ['a', 'b'].map(id => ({ id, url: server.url })) });
  const answers = Array.from({ length: requests }, () =>
    lb
      .run(async ({ endpoint, signal }) => (await fetch(endpoint.url, { signal })).text(), { timeoutMs })
      .catch(error => error),
  );
  await server.standStill(requests, timeoutMs + 500);
  expect(await Promise.all(answers)).toEqual(new Array(requests).fill('ok'));
  expect(lb.snapshot().endpoints).toMatchObject(unblamed);
});

it('does so in the proxy', async () => {
  const server = await HeldAnswers.start();
  const endpoints = ['a', 'b'].map(id => ({ id, url: server.url }));
  const { lb, url } = await front(endpoints, { headersTimeoutMs: timeoutMs, timeoutMs });
  const statuses = server.get(url, requests);
  await server.standStill(requests, timeoutMs + 500);
  expect(await statuses).toEqual(new Array(requests).fill(200));
  expect(lb.snapshot()).toMatchObject({ retries: 0, endpoints: unblamed });
});
