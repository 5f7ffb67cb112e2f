/**
 * A text that may be a URL or a connection string, as an error may quote it: without user, password and token. What was not
 * encoded as a URL needs it is hidden too, as far as the last `@`.
 */
export function withoutSecrets(text: string): string {
  return text
    .replace(/\S+/g, withoutUser)
    .replace(/(password|passwd|pwd|secret|token)=(?:'[^']*'?|[^\s&;]+)/gi, '$1=…');
}

function withoutUser(word: string): string {
  const begin = word.indexOf('//');
  const end = word.lastIndexOf('@');
  return begin === -1 || end < begin ? word : `${word.slice(0, begin)}//…${word.slice(end)}`;
}

/** Commands whose arguments may be passwords. */
const confidential = new Set(['auth', 'hello', 'acl', 'config', 'migrate']);

/**
 * The same error, without the passwords that ioredis keeps in it: the command beside the reply, as that of a wrong password.
 * Who prints an error prints its fields.
 */
export function withoutCredentials<E>(error: E): E {
  const { command, lastNodeError } = Object(error) as {
    command?: { readonly name?: unknown };
    lastNodeError?: unknown;
  };
  const name = String(command?.name).toLowerCase();
  if (confidential.has(name)) Object.assign(error as object, { command: { name, args: [] } });
  if (lastNodeError !== undefined && lastNodeError !== error) withoutCredentials(lastNodeError);
  return error;
}
