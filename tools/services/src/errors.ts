/** A service that cannot be had on this machine; `reason` says what was tried and what would help. */
export class ServiceUnavailableError extends Error {
  override readonly name = 'ServiceUnavailableError';
  readonly service: string;
  readonly reason: string;

  constructor(service: string, reason: string, options?: ErrorOptions) {
    super(`${service} cannot be had: ${reason}`, options);
    this.service = service;
    this.reason = reason;
  }
}

/** A server that did not start, died or would not stop. The message ends with the last lines of its log. */
export class ServerFailedError extends Error {
  override readonly name = 'ServerFailedError';
  readonly server: string;

  constructor(server: string, what: string, logTail: string, options?: ErrorOptions) {
    super(
      `${server} ${what}${logTail === '' ? '; its log is empty' : `; its log ends:\n${logTail}`}`,
      options,
    );
    this.server = server;
  }
}
