import { randomUUID } from 'node:crypto';
import { startRabbit, startTcpProxy } from '@workspace/services';
import { groupNames } from '../../src/adapters/rabbitmq/names.ts';
import { type QueueType, rabbitmq } from '../../src/adapters/rabbitmq.ts';
import type { Operation, Policy } from '../plan/plan.ts';
import { topic } from '../play/case.ts';
import { openConsole, type RabbitConsole } from './rabbit-console.ts';
import { realStage } from './real-stage.ts';
import { type Operator, type Site, timeoutMs } from './site.ts';

/** Fewer than a case has consumers. */
const config = 'channel_max = 3';
/** Of the delays in cases. */
const delayBuckets = [100, 200];

export async function rabbitmqSite(queueType: QueueType): Promise<Site> {
  const server = await startRabbit({ own: true, config });
  const proxy = await startTcpProxy({ target: server.port });
  const console = await openConsole(server);
  // Until what could not be moved on is tried again: minutes
  await console.evaluate('application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 500)');
  const url = `amqp://guest:guest@127.0.0.1:${proxy.port}`;
  const probe = rabbitmq({ url, queueType });
  const { capabilities } = probe;
  await probe[Symbol.asyncDispose]();
  return {
    capabilities,
    mostProcesses: 3,
    breaks: true,
    loses: true,
    leaseMs: 1_000,
    hasLeases: false,
    forgets: true,
    operations: ['purge', 'delete', 'deleteDead', 'deleteDelays', 'deleteTopic', 'close'],
    policies: queueType === 'quorum' ? ['none', 'full', 'few', 'brief'] : ['none', 'full', 'brief'],
    async begin(processes) {
      const prefix = randomUUID();
      const operator = new RabbitOperator(console, prefix);
      return realStage({
        processes,
        open: () => rabbitmq({ url, prefix, queueType, timeoutMs }),
        break: async () => proxy.cut(),
        proxy,
        operator,
        end: () => operator.policy('none'),
      });
    },
    async [Symbol.asyncDispose]() {
      await proxy.stop();
      await server.stop();
    },
  };
}

const definitions: Readonly<Record<Exclude<Policy, 'none'>, object>> = {
  full: { 'max-length': 3 },
  few: { 'delivery-limit': 2 },
  brief: { 'message-ttl': 100 },
};

/** An administrator who does not ask whose queues they are. */
class RabbitOperator implements Operator {
  readonly #console: RabbitConsole;
  readonly #prefix: string;
  #hasPolicy = false;

  constructor(console: RabbitConsole, prefix: string) {
    this.#console = console;
    this.#prefix = prefix;
  }

  async operate(group: string, op: Operation): Promise<void> {
    const { exchange, queue, dead } = groupNames(this.#prefix, topic, group);
    switch (op) {
      case 'purge':
        return this.#withQueue(queue, 'rabbit_amqqueue:purge(Q)');
      case 'delete':
        return this.#delete(queue);
      case 'deleteDead':
        return this.#delete(dead);
      case 'deleteDelays':
        for (const target of [queue, `${exchange}:`])
          for (const bucket of delayBuckets) await this.#delete(`${target}:delay:${bucket}`);
        return;
      case 'deleteTopic':
        await this.#console.evaluate(
          `rabbit_exchange:delete(${resource('exchange', exchange)}, false, <<"operator">>)`,
        );
        return;
      case 'close':
        await this.#console.evaluate(
          '[rabbit_networking:close_connection(P, "for the test") || P <- rabbit_networking:connections()]',
        );
    }
  }

  async policy(policy: Policy): Promise<void> {
    if (policy === 'none') {
      if (this.#hasPolicy)
        await this.#console.evaluate(`rabbit_policy:delete(<<"/">>, <<"${this.#prefix}">>, <<"operator">>)`);
      this.#hasPolicy = false;
      return;
    }
    this.#hasPolicy = true;
    // The queues of groups alone
    const pattern = `^${this.#prefix}:[^:]+:[^:]+$`;
    const definition = JSON.stringify(definitions[policy]).replaceAll('"', '\\"');
    const values = [this.#prefix, pattern, definition].map(value => `<<"${value}">>`);
    await this.#console.evaluate(
      `ok = rabbit_policy:parse_set(<<"/">>, ${values.join(', ')}, 0, <<"queues">>, <<"operator">>)`,
    );
  }

  #delete(queue: string): Promise<void> {
    return this.#withQueue(queue, 'rabbit_amqqueue:delete(Q, false, false, <<"operator">>)');
  }

  async #withQueue(queue: string, work: string): Promise<void> {
    await this.#console.evaluate(
      `case rabbit_amqqueue:lookup(${resource('queue', queue)}) of {ok, Q} -> ${work}; _ -> none end`,
    );
  }
}

function resource(kind: 'queue' | 'exchange', name: string): string {
  return `rabbit_misc:r(<<"/">>, ${kind}, <<"${name}">>)`;
}
