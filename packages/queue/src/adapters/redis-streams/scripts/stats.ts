import { type Script, script } from '@ashlar/store/redis-connection';
import { aside } from './aside.ts';
import { common } from './common.ts';
import { lanes } from './sharing/lanes.ts';

/**
 * How many there are of each kind, from counts alone. ARGV: group. Returns waiting, delayed, active, dead.
 *
 * Before Redis 7, which counts what a group has read, what is kept in the stream for other groups counts as waiting.
 */
export const statsScript: Script = script(
  1,
  `${common}${lanes}${aside}
local group, retries = ARGV[1], base .. 'r:' .. ARGV[1]
local active, again = redis.call('XPENDING', stream, group)[1], redis.call('XPENDING', retries, group)[1]
local fromStream, fromRetries = filed(stream, group), filed(retries, group)
local function unread()
  local length = redis.call('XLEN', stream)
  if length == 0 then return 0 end
  local read = redis.call('HGET', base .. 'aside:' .. group, 'sread')
  local added = read and fieldsOf(redis.call('XINFO', 'STREAM', stream))['entries-added']
  local lag = added and added - read
  if not isAside(group) then lag = groupOf(stream, group).lag end
  if not lag then return length - active end
  return lag + (redis.call('HGET', base .. 'behind:' .. group, 'left') or 0)
end
-- Of those that are delayed for all groups, this one does not get what it has canceled
local function withoutIt()
  local count = 0
  for _, groups in ipairs(redis.call('HVALS', base .. 'zc')) do
    if string.find(',' .. groups .. ',', ',' .. group .. ',', 1, true) then count = count + 1 end
  end
  return count
end
return {
  math.max(0, unread() - redis.call('SCARD', base .. 'c:' .. group)) + fromStream
    + redis.call('XLEN', retries) - again + fromRetries,
  math.max(0, redis.call('ZCARD', base .. 'z') - withoutIt()) + redis.call('ZCARD', base .. 'p:' .. group),
  active + again - fromStream - fromRetries,
  redis.call('ZCARD', base .. 'died:' .. group),
}`,
);
