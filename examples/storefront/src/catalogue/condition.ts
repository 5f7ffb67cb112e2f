import type { RequestListener } from 'node:http';

/** `slow`: every answer comes a second late. `failing`: every answer is 503, at once. */
export type Condition = 'well' | 'slow' | 'failing';

const lateMs = 1_000;

/** Answers as the handler does, or as a replica that is not well. */
export function ailing(handler: RequestListener, condition: () => Condition): RequestListener {
  return (request, response) => {
    switch (condition()) {
      case 'well':
        return handler(request, response);
      case 'slow':
        return void setTimeout(handler, lateMs, request, response);
      case 'failing':
        response.statusCode = 503;
        response.end();
    }
  };
}
