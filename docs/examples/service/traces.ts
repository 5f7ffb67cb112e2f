// #region program
import type { HandlerContext } from '@ashlar/queue';
import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('shop');

/** The trace of the code that publishes, as headers of its message. */
function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers); // traceparent, tracestate, baggage
  return headers;
}

/** A handler whose spans, those of its queries too, are in the trace of the code that published the message. */
function traced<Payload, Result>(handle: (payload: Payload, message: HandlerContext) => Promise<Result>) {
  return (payload: Payload, message: HandlerContext): Promise<Result> => {
    const { topic, id, headers } = message;
    const attributes = { 'messaging.destination.name': topic, 'messaging.message.id': id };
    const options = { kind: SpanKind.CONSUMER, attributes };
    const publisher = propagation.extract(ROOT_CONTEXT, headers);
    return tracer.startActiveSpan(`process ${topic}`, options, publisher, async span => {
      try {
        return await handle(payload, message);
      } catch (error) {
        span.recordException(error as Error);
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    });
  };
}

// #endregion program

import { messages } from '@ashlar/queue';
import { TestQueue } from '@ashlar/queue/testing';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';

const exporter = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();

type Messages = { mail: { to: string } };
await using queue = new TestQueue({ messages: messages<Messages>() });
const send = traced(async ({ to }: Messages['mail'], { attempt }) => {
  await tracer.startActiveSpan(`send to ${to}`, async span => span.end()); // an instrumentation of your mailer
  if (attempt < 2) throw new Error('the server is away');
});
await queue.subscribe('mail', send, { group: 'sender' });
await tracer.startActiveSpan('POST /orders', async span => {
  await queue.publish('mail', { to: 'ada' }, { headers: traceHeaders() });
  span.end();
});
await queue.drain(); // the second attempt

const spans = exporter.getFinishedSpans();
const parentOf = ({ parentSpanContext }: (typeof spans)[number]) =>
  spans.find(each => each.spanContext().spanId === parentSpanContext?.spanId)?.name;
console.log(new Set(spans.map(span => span.spanContext().traceId)).size); // 1
console.log(spans.map(({ name }) => name).join(', ')); // send to ada, process mail, POST /orders, send to ada, process mail
console.log(spans.map(parentOf).join(', ')); // process mail, POST /orders, , process mail, POST /orders
console.log(spans.map(({ status }) => status.code).join(', ')); // 0, 2, 0, 0, 0
