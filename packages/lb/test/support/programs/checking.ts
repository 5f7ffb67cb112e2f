// A program that has a balancer with checks, and nothing else to do once the endpoint is healthy.
import { subscribe } from 'node:diagnostics_channel';
import { httpCheck, LoadBalancer } from '../../../src/index.ts';

const endpoints = [{ id: 'a', url: process.argv[2]! }];
const health = { check: httpCheck(), intervalMs: 600_000, serveUnchecked: false };
new LoadBalancer({ endpoints, health });
const waiting = setInterval(() => {}, 1_000);
subscribe('ashlar:lb:health', () => {
  clearInterval(waiting);
  console.log('healthy');
});
