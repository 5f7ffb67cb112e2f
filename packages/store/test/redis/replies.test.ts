import { expect, it } from 'vitest';
import { isForbidden } from '../../src/adapters/redis-connection/replies.ts';

it.each([
  ["NOPERM this user has no permissions to run the 'xread' command", true],
  [
    "ERR The user executing the script can't run this command or subcommand script: 614, on @user_script:1.",
    true,
  ],
  [
    "ERR ACL failure in script: User r has no permissions to run the 'zrem' command script: on @user_script:1.",
    true,
  ],
  ["ERR unknown command 'xread'", false],
  ["READONLY You can't write against a read only replica.", false],
])('what the user may not do is known by the words of every server: %s', (message, is) => {
  expect(isForbidden(Object.assign(new Error(message), { name: 'ReplyError' }))).toBe(is);
});
